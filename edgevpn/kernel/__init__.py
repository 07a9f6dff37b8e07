"""The data plane: XFRM, interfaces, addresses and routes over netlink; knows nothing of IKE."""
