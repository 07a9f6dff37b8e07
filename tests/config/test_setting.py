from dataclasses import dataclass

from edgevpn.config.kinds import duration, integer, many, text
from edgevpn.config.setting import Effect, derived, optional, required, setting, settings_of, several


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp:
    name: str
    watts: int = required(integer(1, 100), "How bright it is.")
    after: int = setting(duration(1, 3600), "When it goes on.", "1m")
    colours: tuple[str, ...] = setting(many(text("a colour", "[a-z]+")), "What it shows.", ["red", "blue"])
    until: int = derived(duration(1, 9999), "When it goes off.", "twice after", lambda given: 2 * given["after"])
    key: str | None = optional(text("anything", ".*"), "Who may switch it.", "nobody", secret=True)
    rooms: tuple[str, ...] = several(many(text("a room", "[a-z]+")), "Where it is.", "nowhere", effect=Effect.LIVE)


def test_settings_stand_in_their_order() -> None:
    assert list(settings_of(Lamp)) == ["watts", "after", "colours", "until", "key", "rooms"]


def test_defaults_are_kept_as_written_and_as_read() -> None:
    settings = settings_of(Lamp)
    texts = ["", '"1m"', '["red", "blue"]', "twice after", "nobody", "nowhere"]
    assert [each.default_text for each in settings.values()] == texts
    assert settings["watts"].default is None
    defaults = [each.default({"after": 60}) for each in settings.values() if each.default]
    assert defaults == [60, ("red", "blue"), 120, None, ()]


def test_constant_defaults_are_defaults_of_the_record() -> None:
    lamp = Lamp(name="desk", watts=5, until=9)
    assert (lamp.after, lamp.colours, lamp.key, lamp.rooms) == (60, ("red", "blue"), None, ())


def test_effects_are_the_hardest_unless_they_are_told() -> None:
    settings = settings_of(Lamp)
    assert settings["watts"].effect is Effect.DROP
    assert settings["rooms"].effect is Effect.LIVE


def test_secrets_are_not_printed() -> None:
    assert settings_of(Lamp)["key"].secret
    assert "hunter2" not in repr(Lamp(name="desk", watts=5, until=9, key="hunter2"))
