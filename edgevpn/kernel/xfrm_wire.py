"""XFRM messages of <linux/xfrm.h>: each structure, then each message and attribute.

pyroute2 has none of them; these are written in its terms. Fields of a nested structure are flattened: `sel.daddr` is
`sel_daddr`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from edgevpn.kernel.framework import nla, nlmsg
from edgevpn.kernel.layout import Layout, NlaMap, Structured


class XfrmMsg(IntEnum):
    """XFRM_MSG_*"""

    NEWSA = 0x10
    DELSA = 0x11
    GETSA = 0x12
    NEWPOLICY = 0x13
    DELPOLICY = 0x14
    GETPOLICY = 0x15
    ALLOCSPI = 0x16
    ACQUIRE = 0x17
    EXPIRE = 0x18
    UPDPOLICY = 0x19
    UPDSA = 0x1A
    FLUSHSA = 0x1C
    FLUSHPOLICY = 0x1D
    MIGRATE = 0x21
    MAPPING = 0x26


class XfrmGroup(IntEnum):
    """XFRMNLGRP_*: multicast groups."""

    ACQUIRE = 1
    EXPIRE = 2
    SA = 3
    POLICY = 4
    MAPPING = 8


XFRM_INF = (1 << 64) - 1
XFRM_STATE_ESN = 128
XFRM_OFFLOAD_INBOUND, XFRM_OFFLOAD_PACKET = 2, 4
XFRM_POLICY_MAX = 3
UDP_ENCAP_ESPINUDP = 2

# struct xfrm_selector {
#     xfrm_address_t    daddr, saddr;
#     __be16            dport, dport_mask, sport, sport_mask;
#     __u16             family;
#     __u8              prefixlen_d, prefixlen_s, proto;
#     int               ifindex;
#     __kernel_uid32_t  user;
# };
SELECTOR = Layout(
    ("daddr", "16s"),
    ("saddr", "16s"),
    ("dport", "2s"),
    ("dport_mask", "2s"),
    ("sport", "2s"),
    ("sport_mask", "2s"),
    ("family", "H"),
    ("prefixlen_d", "B"),
    ("prefixlen_s", "B"),
    ("proto", "B"),
    ("ifindex", "i"),
    ("user", "I"),
)

# struct xfrm_id {
#     xfrm_address_t  daddr;
#     __be32          spi;
#     __u8            proto;
# };
ID = Layout(("daddr", "16s"), ("spi", "4s"), ("proto", "B"), ("_", "0I"))

# struct xfrm_lifetime_cfg {
#     __u64  soft_byte_limit, hard_byte_limit, soft_packet_limit, hard_packet_limit;
#     __u64  soft_add_expires_seconds, hard_add_expires_seconds, soft_use_expires_seconds, hard_use_expires_seconds;
# };
LIFETIME_CFG = Layout(
    ("soft_byte_limit", "Q"),
    ("hard_byte_limit", "Q"),
    ("soft_packet_limit", "Q"),
    ("hard_packet_limit", "Q"),
    ("soft_add_expires_seconds", "Q"),
    ("hard_add_expires_seconds", "Q"),
    ("soft_use_expires_seconds", "Q"),
    ("hard_use_expires_seconds", "Q"),
)

# struct xfrm_lifetime_cur {
#     __u64  bytes, packets, add_time, use_time;
# };
LIFETIME_CUR = Layout(("bytes", "Q"), ("packets", "Q"), ("add_time", "Q"), ("use_time", "Q"))

# struct xfrm_stats {
#     __u32  replay_window, replay, integrity_failed;
# };
STATS = Layout(("replay_window", "I"), ("replay", "I"), ("integrity_failed", "I"))

# struct xfrm_usersa_info {
#     struct xfrm_selector      sel;
#     struct xfrm_id            id;
#     xfrm_address_t            saddr;
#     struct xfrm_lifetime_cfg  lft;
#     struct xfrm_lifetime_cur  curlft;
#     struct xfrm_stats         stats;
#     __u32                     seq, reqid;
#     __u16                     family;
#     __u8                      mode, replay_window, flags;
# };
USERSA_INFO = Layout(
    *SELECTOR.member("sel"),
    *ID.member("id"),
    ("saddr", "16s"),
    *LIFETIME_CFG.member("lft"),
    *LIFETIME_CUR.member("curlft"),
    *STATS.member("stats"),
    ("seq", "I"),
    ("reqid", "I"),
    ("family", "H"),
    ("mode", "B"),
    ("replay_window", "B"),
    ("flags", "B"),
    ("_", "0Q"),
)

# struct xfrm_usersa_id {
#     xfrm_address_t  daddr;
#     __be32          spi;
#     __u16           family;
#     __u8            proto;
# };
USERSA_ID = Layout(("daddr", "16s"), ("spi", "4s"), ("family", "H"), ("proto", "B"), ("_", "0I"))

# struct xfrm_userspi_info {
#     struct xfrm_usersa_info  info;
#     __u32                    min, max;
# };
USERSPI_INFO = Layout(*USERSA_INFO.member("info"), ("min", "I"), ("max", "I"), ("_", "0Q"))

# struct xfrm_userpolicy_info {
#     struct xfrm_selector      sel;
#     struct xfrm_lifetime_cfg  lft;
#     struct xfrm_lifetime_cur  curlft;
#     __u32                     priority, index;
#     __u8                      dir, action, flags, share;
# };
USERPOLICY_INFO = Layout(
    *SELECTOR.member("sel"),
    *LIFETIME_CFG.member("lft"),
    *LIFETIME_CUR.member("curlft"),
    ("priority", "I"),
    ("index", "I"),
    ("dir", "B"),
    ("action", "B"),
    ("flags", "B"),
    ("share", "B"),
    ("_", "0Q"),
)

# struct xfrm_userpolicy_id {
#     struct xfrm_selector  sel;
#     __u32                 index;
#     __u8                  dir;
# };
USERPOLICY_ID = Layout(*SELECTOR.member("sel"), ("index", "I"), ("dir", "B"), ("_", "0I"))

# struct xfrm_user_tmpl {
#     struct xfrm_id  id;
#     __u16           family;
#     xfrm_address_t  saddr;
#     __u32           reqid;
#     __u8            mode, share, optional;
#     __u32           aalgos, ealgos, calgos;
# };
USER_TMPL = Layout(
    *ID.member("id"),
    ("family", "H"),
    ("_", "0I"),
    ("saddr", "16s"),
    ("reqid", "I"),
    ("mode", "B"),
    ("share", "B"),
    ("optional", "B"),
    ("aalgos", "I"),
    ("ealgos", "I"),
    ("calgos", "I"),
)

# struct xfrm_user_acquire {
#     struct xfrm_id               id;
#     xfrm_address_t               saddr;
#     struct xfrm_selector         sel;
#     struct xfrm_userpolicy_info  policy;
#     __u32                        aalgos, ealgos, calgos, seq;
# };
USER_ACQUIRE = Layout(
    *ID.member("id"),
    ("saddr", "16s"),
    *SELECTOR.member("sel"),
    *USERPOLICY_INFO.member("policy"),
    ("aalgos", "I"),
    ("ealgos", "I"),
    ("calgos", "I"),
    ("seq", "I"),
)

# struct xfrm_user_expire {
#     struct xfrm_usersa_info  state;
#     __u8                     hard;
# };
USER_EXPIRE = Layout(*USERSA_INFO.member("state"), ("hard", "B"), ("_", "0Q"))

# struct xfrm_user_migrate {
#     xfrm_address_t  old_daddr, old_saddr, new_daddr, new_saddr;
#     __u8            proto, mode;
#     __u16           reserved;
#     __u32           reqid;
#     __u16           old_family, new_family;
# };
USER_MIGRATE = Layout(
    ("old_daddr", "16s"),
    ("old_saddr", "16s"),
    ("new_daddr", "16s"),
    ("new_saddr", "16s"),
    ("proto", "B"),
    ("mode", "B"),
    ("_", "2x"),
    ("reqid", "I"),
    ("old_family", "H"),
    ("new_family", "H"),
)

# struct xfrm_user_mapping {
#     struct xfrm_usersa_id  id;
#     __u32                  reqid;
#     xfrm_address_t         old_saddr, new_saddr;
#     __be16                 old_sport, new_sport;
# };
USER_MAPPING = Layout(
    *USERSA_ID.member("id"),
    ("reqid", "I"),
    ("old_saddr", "16s"),
    ("new_saddr", "16s"),
    ("old_sport", "2s"),
    ("new_sport", "2s"),
)

# struct xfrm_replay_state_esn {
#     unsigned int  bmp_len;
#     __u32         oseq, seq, oseq_hi, seq_hi, replay_window;
#     __u32         bmp[];
# };
REPLAY_STATE_ESN = Layout(
    ("bmp_len", "I"),
    ("oseq", "I"),
    ("seq", "I"),
    ("oseq_hi", "I"),
    ("seq_hi", "I"),
    ("replay_window", "I"),
)


class xfrm_attributes:  # noqa: N801 - the framework's spelling
    """XFRMA_*, for the messages that carry them."""

    nla_map: ClassVar[NlaMap] = (
        (1, "XFRMA_ALG_AUTH", "algo"),
        (2, "XFRMA_ALG_CRYPT", "algo"),
        (4, "XFRMA_ENCAP", "encap_tmpl"),
        (5, "XFRMA_TMPL", "user_tmpls"),
        (6, "XFRMA_SA", "usersa"),
        (7, "XFRMA_POLICY", "userpolicy"),
        (9, "XFRMA_LTIME_VAL", "lifetime_cur"),
        (10, "XFRMA_REPLAY_VAL", "replay_state"),
        (15, "XFRMA_LASTUSED", "uint64"),
        (16, "XFRMA_POLICY_TYPE", "userpolicy_type"),
        (17, "XFRMA_MIGRATE", "user_migrate"),
        (18, "XFRMA_ALG_AEAD", "algo_aead"),
        (20, "XFRMA_ALG_AUTH_TRUNC", "algo_auth"),
        (21, "XFRMA_MARK", "mark"),
        (23, "XFRMA_REPLAY_ESN_VAL", "replay_state_esn"),
        (24, "XFRMA_SA_EXTRA_FLAGS", "uint32"),
        (28, "XFRMA_OFFLOAD_DEV", "user_offload"),
        (29, "XFRMA_SET_MARK", "uint32"),
        (30, "XFRMA_SET_MARK_MASK", "uint32"),
        (31, "XFRMA_IF_ID", "uint32"),
        (32, "XFRMA_MTIMER_THRESH", "uint32"),
    )

    class algo(Structured, nla):  # noqa: N801
        # struct xfrm_algo {
        #     char          alg_name[64];
        #     unsigned int  alg_key_len;    /* in bits */
        #     char          alg_key[];
        # };
        layout = Layout(("alg_name", "64s"), ("alg_key_len", "I"))
        tail = "alg_key"

    class algo_auth(Structured, nla):  # noqa: N801
        # struct xfrm_algo_auth {
        #     char          alg_name[64];
        #     unsigned int  alg_key_len;    /* in bits */
        #     unsigned int  alg_trunc_len;  /* in bits */
        #     char          alg_key[];
        # };
        layout = Layout(("alg_name", "64s"), ("alg_key_len", "I"), ("alg_trunc_len", "I"))
        tail = "alg_key"

    class algo_aead(Structured, nla):  # noqa: N801
        # struct xfrm_algo_aead {
        #     char          alg_name[64];
        #     unsigned int  alg_key_len;    /* in bits */
        #     unsigned int  alg_icv_len;    /* in bits */
        #     char          alg_key[];
        # };
        layout = Layout(("alg_name", "64s"), ("alg_key_len", "I"), ("alg_icv_len", "I"))
        tail = "alg_key"

    class encap_tmpl(Structured, nla):  # noqa: N801
        # struct xfrm_encap_tmpl {
        #     __u16           encap_type;
        #     __be16          encap_sport, encap_dport;
        #     xfrm_address_t  encap_oa;
        # };
        layout = Layout(
            ("encap_type", "H"), ("encap_sport", "2s"), ("encap_dport", "2s"), ("_", "0I"), ("encap_oa", "16s")
        )

    class user_tmpls(Structured, nla):  # noqa: N801
        # struct xfrm_user_tmpl  templates[];
        layout = Layout()
        tail = "templates"

    class usersa(Structured, nla):  # noqa: N801
        layout = USERSA_INFO

    class userpolicy(Structured, nla):  # noqa: N801
        layout = USERPOLICY_INFO

    class lifetime_cur(Structured, nla):  # noqa: N801
        layout = LIFETIME_CUR

    class replay_state(Structured, nla):  # noqa: N801
        # struct xfrm_replay_state {
        #     __u32  oseq, seq, bitmap;
        # };
        layout = Layout(("oseq", "I"), ("seq", "I"), ("bitmap", "I"))

    class replay_state_esn(Structured, nla):  # noqa: N801
        layout = REPLAY_STATE_ESN
        tail = "bmp"

    class userpolicy_type(Structured, nla):  # noqa: N801
        # struct xfrm_userpolicy_type {
        #     __u8   type;
        #     __u16  reserved1;
        #     __u8   reserved2;
        # };
        layout = Layout(("type", "B"), ("reserved1", "H"), ("reserved2", "B"), ("_", "0H"))

    class user_migrate(Structured, nla):  # noqa: N801
        layout = USER_MIGRATE

    class mark(Structured, nla):  # noqa: N801
        # struct xfrm_mark {
        #     __u32  v, m;    /* value, mask */
        # };
        layout = Layout(("v", "I"), ("m", "I"))

    class user_offload(Structured, nla):  # noqa: N801
        # struct xfrm_user_offload {
        #     int   ifindex;
        #     __u8  flags;
        # };
        layout = Layout(("ifindex", "i"), ("flags", "B"), ("_", "0I"))


class usersa_info(Structured, xfrm_attributes, nlmsg):  # noqa: N801
    """NEWSA, UPDSA, and the answer to GETSA and ALLOCSPI."""

    layout = USERSA_INFO


class usersa_id(Structured, xfrm_attributes, nlmsg):  # noqa: N801
    """GETSA, DELSA."""

    layout = USERSA_ID


class userspi_info(Structured, xfrm_attributes, nlmsg):  # noqa: N801
    """ALLOCSPI."""

    layout = USERSPI_INFO


class userpolicy_info(Structured, xfrm_attributes, nlmsg):  # noqa: N801
    """NEWPOLICY, UPDPOLICY, and the answer to GETPOLICY."""

    layout = USERPOLICY_INFO


class userpolicy_id(Structured, xfrm_attributes, nlmsg):  # noqa: N801
    """GETPOLICY, DELPOLICY, MIGRATE."""

    layout = USERPOLICY_ID


class user_acquire(Structured, xfrm_attributes, nlmsg):  # noqa: N801
    """ACQUIRE."""

    layout = USER_ACQUIRE


class user_expire(Structured, xfrm_attributes, nlmsg):  # noqa: N801
    """EXPIRE."""

    layout = USER_EXPIRE


class user_mapping(Structured, xfrm_attributes, nlmsg):  # noqa: N801
    """MAPPING."""

    layout = USER_MAPPING
