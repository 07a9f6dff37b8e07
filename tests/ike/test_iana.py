import pytest

from edgevpn.ike.iana import EapCode, NotifyType, PayloadType, ProtocolId, TsType


def test_open_registry_keeps_what_it_does_not_know() -> None:
    unknown = PayloadType(200)
    assert (unknown, unknown.name) == (200, "UNKNOWN_200")
    assert unknown == PayloadType(200)
    assert {unknown: 1}[PayloadType(200)] == 1
    assert 200 not in PayloadType.__members__.values()


@pytest.mark.parametrize("number", [-1, 0x10000])
def test_no_registry_has_such_numbers(number: int) -> None:
    with pytest.raises(ValueError, match=str(number)):
        PayloadType(number)


@pytest.mark.parametrize("registry", [ProtocolId, TsType, EapCode])
def test_closed_registry_refuses(registry: type[ProtocolId | TsType | EapCode]) -> None:
    with pytest.raises(ValueError, match="99"):
        registry(99)


def test_error_notifies_are_the_lower_quarter() -> None:
    assert NotifyType.CHILD_SA_NOT_FOUND.is_error
    assert not NotifyType.INITIAL_CONTACT.is_error
    assert NotifyType(16383).is_error
    assert not NotifyType(16384).is_error
