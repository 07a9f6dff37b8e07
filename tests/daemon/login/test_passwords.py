from edgevpn.config.nouns import DEVICE
from edgevpn.daemon.login.passwords import nt_hash


def test_hash_of_the_standard() -> None:
    """RFC 2759 §9.2."""
    made = nt_hash("clientPass")
    assert made == "44ebba8d5312b8d611474411f56989ae"
    assert DEVICE.settings["nt_hash"].kind.read(made) == made
