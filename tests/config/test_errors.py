from edgevpn.config.errors import LONGEST_VALUE, MOST, ConfigError, Findings, Problem, dotted, plain, shown


def test_problem_says_where_what_and_how_to_cure_it() -> None:
    problem = Problem(
        file="edgevpn.toml",
        line=12,
        path=("site", "office", "mtu"),
        value="1",
        fault="is too small",
        allowed="1280 to 9200 octets",
        cure="take it out",
    )
    assert str(problem) == (
        "edgevpn.toml:12: site.office.mtu = 1: is too small; allowed: 1280 to 9200 octets; take it out"
    )


def test_problem_of_a_whole_file() -> None:
    assert str(Problem(file="edgevpn.toml", fault="is not UTF-8 text")) == "edgevpn.toml: is not UTF-8 text"
    assert str(Problem(fault="is not UTF-8 text")) == "is not UTF-8 text"


def test_problem_for_programs() -> None:
    problem = Problem(
        file="edgevpn.toml", line=12, path=("site", "head office", "mtu"), value="1", fault="is too small"
    )
    assert plain(problem) == {
        "file": "edgevpn.toml",
        "line": 12,
        "key": 'site."head office".mtu',
        "value": "1",
        "fault": "is too small",
    }
    assert plain(Problem(fault="is not UTF-8 text")) == {"fault": "is not UTF-8 text"}


def test_keys_are_quoted_as_toml_wants() -> None:
    assert dotted(("site", "head office", "mtu")) == 'site."head office".mtu'


def test_keys_have_an_end() -> None:
    assert len(dotted(("site", "x" * 65536))) == len("site.") + LONGEST_VALUE
    assert len(dotted(("site", "\0" * 65536))) == len("site.") + LONGEST_VALUE


def test_values_are_one_printable_line() -> None:
    assert shown("café\n\x1b[2J\u202e") == '"café\\n\\u001b[2J\\u202e"'
    assert len(shown("x" * 1000)) == LONGEST_VALUE
    assert shown(["10.1.0.0/24"]) == '["10.1.0.0/24"]'


def test_error_prints_all_problems() -> None:
    error = ConfigError((Problem(fault="one"), Problem(fault="two")))
    assert str(error) == "one\ntwo"


def test_findings_have_an_end() -> None:
    findings = Findings()
    for number in range(MOST + 1):
        assert findings.is_full == (number >= MOST)
        findings.refuse(("a",), "is wrong")
        findings.warn(("a",), "is odd")
    assert len(findings.errors) == len(findings.warnings) == MOST


def test_findings_keep_errors_and_warnings_apart() -> None:
    findings = Findings()
    findings.refuse(("a",), "is wrong", value="1", allowed="2", cure="write 2")
    findings.warn(("b",), "is odd", value="3", cure="write 4")
    assert findings.errors == [Problem(path=("a",), fault="is wrong", value="1", allowed="2", cure="write 2")]
    assert findings.warnings == [Problem(path=("b",), fault="is odd", value="3", cure="write 4")]
