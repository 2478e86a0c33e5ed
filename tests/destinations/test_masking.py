"""What looks like a credential is masked, and what stands around it stays."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.destinations.wording import masking
from router.destinations.wording.masking import MASK, credential_forms, masked, masked_notice
from router.domain.evidence import Evidence, items_in
from router.domain.notices import Link
from tests.destinations.builders import a_notice

CANARY = "hUnter2Canary"
KEY = "A1b+" * 21 + "zz=="
TOKEN = CANARY * 5

MASKED: dict[str, tuple[str, ...]] = {
    "private key": (
        "-----BEGIN PRIVATE KEY-----{\nhUnter2Canary\nabc}-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----{\\nhUnter2Canary\\n}-----END RSA PRIVATE KEY----- done",
        "cut: -----BEGIN OPENSSH PRIVATE KEY-----{\nhUnter2Canary}",
    ),
    "shared access signature": (
        "BlobEndpoint=https://x/;SharedAccessSignature={sv=2022&sig=hUnter2Canary&se=1};x=y",
    ),
    "signature or key in a query": (
        "https://x.blob.core.windows.net/c/b?sv=2022-11-02&sig={hUnter2Canary%2Bx%3D}&se=2026",
        "https%3A%2F%2Fx%2Fb%3Fsv%3D2022%26sig%3D{hUnter2Canary%253D}%26se%3D2026",
        "a\\u0026sig={hUnter2Canary}\\u0026se=1",
        "?sig={hUnter2Canary}",
        "https://f.azurewebsites.net/api/f?code={" + TOKEN + "==}&x=1",
        "https://x/?a=1&token={hUnter2Canary}",
    ),
    "request signature": (
        "Authorization: AWS4-HMAC-SHA256 Credential=a/b/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature={"
        + "a1" * 32
        + "}",
        "https://b.s3.amazonaws.com/x?X-Amz-Expires=60&X-Amz-Signature={" + "a1" * 32 + "}&x=1",
        "SignedHeaders=host,Signature={" + "A1" * 32 + "} was sent",
    ),
    "storage key": (
        f"the key1: {{{KEY}}} was read",
        f'key "{{{KEY}}}"',
        f"the key is {{{KEY}}}, and it was read",
        f"Key of the account x1: {{{KEY}}}",
        f"the key now in use is '{{{KEY}}}'",
    ),
    "Azure key": (
        "found {" + "a" * 76 + "+AStAAAAAA==}",
        "found {" + "a" * 76 + "AZDOabcd} there",
        "it is {" + "a" * 52 + "JQQJ99" + "b" * 26 + "}",
    ),
    "Entra client secret": (
        "value {abc8Q~" + "x" * 34 + "} of app",
    ),
    "token with a prefix": tuple(
        f"found {{{token}}} there"
        for token in (
            "ghp_" + "a" * 36, "github_pat_" + "a" * 60, "ghs_" + "a" * 36, "glpat-" + "a" * 20, "xoxb-" + "1" * 12,
            "xoxe.xoxp-" + "1" * 12, "xapp-" + "1" * 12, "AIza" + "a" * 35, "ya29." + "a" * 30, "GOCSPX-" + "a" * 28,
            "npm_" + "a" * 36, "pypi-" + "a" * 60, "dckr_pat_" + "a" * 27, "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE",
            "sk-proj-" + "a" * 40, "sk-ant-" + "a" * 40, "hf_" + "a" * 34, "dapi" + "0" * 32, "hvs." + "a" * 30,
            "sk_live_" + "a" * 24, "SG." + "a" * 22 + "." + "b" * 43, "dop_v1_" + "0" * 64,
        )
    ),
    "JSON web token": (
        "got {eyJhbGciOiJub25l.eyJzdWIiOiJodW50ZXIy.hUnter2Canary-_}, then",
        "%20{eyJhbGciOiJub25l.eyJzdWIiOiJodW50ZXIy.}",
        "got {eyJhbGciOiJub25l}…",
    ),
    "bearer token": (
        "with bearer {" + TOKEN + "} in it", "with bearer {hUnter2Canary}…",
    ),
    "Authorization header": (
        'curl -H "Authorization: Bearer {hUnter2Canary}" https://x',
        "Authorization: Basic {aFVudGVyMkNhbmFyeQ==}",
        '{"Authorization": "Token {hUnter2Canary}"}',
        "curl -H 'Authorization: {hUnter2Canary}' https://x",
        "curl --header \\\"Authorization: {hUnter2Canary}\\\" x",
    ),
    "key in a header": (
        "-H 'x-functions-key: {hUnter2Canary}'",
        "Ocp-Apim-Subscription-Key: {hUnter2Canary}",
        '"X-Api-Key": "{hUnter2Canary}"',
        'curl -H "X-Api-Key: {hUnter2Canary}" https://x',
    ),
    "cookie": (
        'curl -H "Cookie: {sid=hUnter2Canary; b=c}" https://x',
        "Set-Cookie: {sid=hUnter2Canary; Path=/; HttpOnly}",
        "GET / HTTP/1.1\r\nCookie: {sid=hUnter2Canary==}\r\nHost: x",
        '{"Cookie": "{sid=hUnter2Canary; b=c}"}',
    ),
    "webhook": (
        "POST https://hooks.slack.com/services/{T0/B0/hUnter2Canary}",
        "POST https://x.webhook.office.com/webhookb2/{hUnter2Canary/IncomingWebhook/a}",
        "curl https://discord.com/api/webhooks/{1/hUnter2Canary} -d x",
    ),
    "token as a user": (
        "git clone https://{hUnter2Canary}@github.com/o/r.git",
    ),
    "URL with a password": (
        "git clone https://bob:{hUnter2Canary}@github.com/x.git",
        "https://:{p@hUnter2Canary}@host/",
        "https%3A%2F%2Fbob%3A{hUnter2Canary}%40host%2Fx",
    ),
    "name and value": (
        "AccountName=x;AccountKey={hUnter2Canary+/==};EndpointSuffix=core.windows.net",
        "SharedAccessKeyName=Root;SharedAccessKey={hUnter2Canary=};EntityPath=q",
        "AccountKey%3D{hUnter2Canary%2B%3D%3D}%3BEndpointSuffix%3Dx",
        "Server=x;User Id=sa;Password={hUnter2Canary};Encrypt=True",
        "Uid=sa;Pwd={hUnter2Canary};",
        "Server=s;Password={a'hUnter2Canary};x=y",
        "PGPASSWORD={hUnter2Canary} psql -h x",
        "export DB_PASSWORD='{hUnter2 Canary}' && run",
        "grant_type=x&client_secret={hUnter2Canary}&scope=y",
        "AWS_SECRET_ACCESS_KEY={hUnter2Canary}",
        "api_key = \\\"{hUnter2Canary}\\\"",
        'psql "host=h password={hUnter2Canary} dbname=x"',
        '{"password":"{hUnter2Canary}","x":1}',
        '{\\"password\\":\\"{hUnter2\\\\\\"Canary}\\",\\"x\\":1}',
        "{'client_secret': '{hUnter2Canary}'}",
        "%22password%22%3A%22{hUnter2Canary}%22",
        '{"name": "MYSQL_ROOT_PASSWORD", "value": "{hUnter2Canary}"}',
        '{\\"name\\":\\"API_TOKEN\\",\\"value\\":\\"{hUnter2Canary}\\"}',
        "<server><password>{hUnter2 Canary}</password></server>", "<a:secret>{hUnter2Canary}</a:secret>",
    ),
    "line of YAML": (
        "stringData:\n  password: {hUnter2Canary}",
        "a: b\n- client_secret: '{hUnter2 Canary}'\n",
        "x: y\\n  DB_TOKEN: {hUnter2Canary}",
    ),
    "option": (
        "tool --password {hUnter2Canary} -v",
        "tool --password={hUnter2Canary}",
        "Tool -Password {hUnter2Canary} -User x",
        "schtasks /password:{hUnter2Canary} /x",
        'bash -c "tool --password {hUnter2Canary}" && x',
        "[\"--client-secret\", \"{hUnter2Canary}\"]",
        "tool --admin-password '{hUnter2 Canary}' -v",
        "az storage blob list --account-key {hUnter2Canary==} -c x",
        'az storage blob list --sas-token "{sv=1&hUnter2Canary}" -c x',
        "kubectl --server https://x --token {hUnter2Canary} get pods",
        "kubectl --token={hUnter2Canary} get pods",
        "openssl rsa -passin pass:{hUnter2Canary} -in k",
        # Half a credential behind a mask looks as if all of it were masked.
        '--password={a"hUnter2Canary"b}',
    ),
    "/p:": (
        "xfreerdp /u:a /p:{hUnter2Canary} /v:h",
    ),
    "value of a name": (
        "az keyvault secret set --vault-name v --name n --value '{hUnter2 Canary}'",
        "reg add HKLM\\X /v DefaultPassword /t REG_SZ /d {hUnter2Canary} /f",
        "reg.exe add HKLM\\X /d {hUnter2Canary} /v \"AutoPassword\" /f",
        "gh secret set X --body {hUnter2Canary}",
    ),
    "variable that is set": (
        "setx AZURE_CLIENT_SECRET {hUnter2Canary} /M",
        "[Environment]::SetEnvironmentVariable('DB_PASSWORD','{hUnter2Canary}')",
        "aws configure set aws_secret_access_key {hUnter2Canary} --profile x",
    ),
    "-p X": (
        "schtasks /create /ru u /rp {hUnter2Canary} /tn x", "SCHTASKS.exe /s h /u a /P {hUnter2Canary}",
    ),
    "-p X, -pX": (
        "sshpass -p {hUnter2Canary} ssh a@b",
        "sshpass -p '{hUnter2;Canary}' ssh a@b",
        "PsExec.exe \\\\h -u a -p {hUnter2Canary} cmd",
        "docker login -u a -p {hUnter2Canary} reg",
        "plink -ssh a@b -pw {hUnter2Canary}",
        "az login --service-principal -u a -p {hUnter2Canary} --tenant t",
        "az acr login -n r -u a -p {hUnter2Canary}",
        "oc login https://x -u a -p {hUnter2Canary}",
        "mongosh mongodb://h/db -u a -p {hUnter2Canary} --eval x",
        "mongo -u a -p '{hUnter2 Canary}'",
        "mongodump.exe -u a -p={hUnter2Canary}",
    ),
    "-pX": (
        "mysql -uroot -p{hUnter2Canary} db", "mysqldump -p'{hUnter2Canary}' db", "sshpass -p{hUnter2Canary} ssh x",
        "rar a -hp{hUnter2Canary} o.rar",
        "7z a -p{hUnter2Canary} o.7z",
    ),
    "-P X, -PX": (
        "sqlcmd -S h -U sa -P {hUnter2Canary} -Q x",
        "SQLCMD.EXE -S h -U sa -P{hUnter2Canary}",
        "osql -U sa -P '{hUnter2 Canary}' -i x.sql",
        "bcp db.t out x.dat -U sa -P {hUnter2Canary}",
    ),
    "-w X, -wX": (
        "ldapsearch -x -D cn=a -w {hUnter2Canary} -b dc=x",
        "ldapsearch -w{hUnter2Canary} -b dc=x",
    ),
    "-a X": (
        "redis-cli -h x -a {hUnter2Canary} keys",
        "redis-cli --user a -a '{hUnter2 Canary}'",
        "sh -c 'redis-cli -a {hUnter2Canary}'",
    ),
    "-k X": (
        "openssl enc -aes-256-cbc -k {hUnter2Canary} -in a",
        "openssl aes-256-cbc -d -k '{hUnter2 Canary}'",
    ),
    "-N X": (
        "ssh-keygen -f k -N {hUnter2Canary}",
        "snmpget -v3 -A {hUnter2Canary} h",
    ),
    "user and password": (
        "curl -u root:{hUnter2Canary} https://x",
        "curl -sk --user 'root:{hUnter2Canary}' https://x",
        "smbclient //h/s -U 'bob%{hUnter2Canary}'",
    ),
    "user:X@host": (
        "secretsdump.py D/u:{hUnter2Canary}@10.0.0.1",
        "impacket-psexec u:{hUnter2@Canary}@h cmd",
        "psexec.py d/u:'{hUnter2Canary}'@h",
    ),
    "user/X@host": (
        "sqlplus scott/{hUnter2Canary}@db",
        "sqlplus -s scott/'{hUnter2Canary}'@db",
        "jdbc:oracle:thin:scott/{hUnter2Canary}@h:1521:x",
    ),
    "word into a pipe": (
        "echo root:{hUnter2Canary} | chpasswd", "echo 'root:{hUnter2Canary}'|sudo /usr/sbin/chpasswd",
        "echo {hUnter2Canary} | sudo -S id",
        "sudo -S id <<< {hUnter2Canary}",
    ),
    "net user, net use": (
        "net user bob {hUnter2Canary} /add",
        "net.exe user bob {hUnter2Canary}",
        'cmd /c "net user bob {hUnter2Canary} /add"',
        "net use \\\\host\\share {hUnter2Canary} /user:bob",
        "net use z: \\\\host\\share {hUnter2Canary} /user:CORP\\bob /persistent:no",
    ),
    "word at its place": (
        "rabbitmqctl add_user bob {hUnter2Canary}",
        "htpasswd -b f bob {hUnter2Canary}",
    ),
    "ConvertTo-SecureString": (
        'ConvertTo-SecureString "{hUnter2Canary}" -AsPlainText -Force',
        "ConvertTo-SecureString -String '{hUnter2Canary}' -AsPlainText",
        "'{hUnter2Canary}' | ConvertTo-SecureString -AsPlainText",
        "[Net.NetworkCredential]::new('u','{hUnter2Canary}')",
    ),
    "SQL": (
        "CREATE USER x IDENTIFIED BY '{hUnter2Canary}'",
        "ALTER ROLE x WITH PASSWORD '{hUnter2Canary}';",
        "CREATE USER x IDENTIFIED BY {hUnter2Canary};",
        'CREATE USER x IDENTIFIED BY "{hUnter2Canary}"',
    ),
}  # fmt: skip
"""Texts of each form; what is to be masked stands in the last braces that hold no others."""

LEFT: dict[str, tuple[str, ...]] = {
    "private key": (
        "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----", "the private key was read",
        "grep '-----BEGIN PRIVATE KEY-----' /x; y",
    ),
    "shared access signature": (
        "SharedAccessSignature tokens were used",
    ),
    "signature or key in a query": (
        "config=x design=1 sigma=2", "https://x/?se=2026&sv=2022", "sig: none",
        "https://x/?code=404", "https://x/?monkey=1", "?tokens=3",
    ),
    "request signature": (
        "Signature=" + "a1" * 32, "X-Amz-SignedHeaders=host", "SignedHeaders=host, Signature=none",
    ),
    "storage key": (
        "sha512-" + KEY, KEY, "key1: none", f"the keyboard is {KEY}", f"the key was used. Its hash is {KEY}",
        f"the key x has the hash {KEY}", f"key: {KEY[:86]}A",
    ),
    "Azure key": (
        "a" * 84, "the AZDO organisation", "JQQJ99",
    ),
    "Entra client secret": (
        "faq~", "abc8Q~short",
    ),
    "token with a prefix": (
        "ghp_short", "risk-free", "task-" + "a" * 50, "xoxo", "AKIA", "glossary-of-everything-we-know",
    ),
    "JSON web token": (
        "eyJhbGciOiJub25l", "eyJhbGciOiJub25l.abc.def",
    ),
    "bearer token": (
        "Bearer tokens were stolen", "the bearer of it",
    ),
    "Authorization header": (
        "Authorization: failed", "Basic authentication is allowed", "authorization by token",
        "curl -H 'Authorization: Digest x'", "-H Authorization: none",
    ),
    "key in a header": (
        "x-functions-keyword: a", "the api-key was changed",
    ),
    "cookie": (
        "Cookie: they were stolen", "Set-Cookie: none", "the cookie=a", "my-cookie: a=b",
    ),
    "webhook": (
        "https://slack.com/archives/C1", "https://hooks.slack.com/",
        "https://discord.com/channels/1/webhooks", "webhook.office.com",
    ),
    "token as a user": (
        "git@github.com:o/r.git", "https://github.com/o/r", "https://org@dev.azure.com/org/p",
    ),
    "URL with a password": (
        "https://host:8080/a@b", "http://host:8080?mail=a@b", "ssh://git@host/x", "tcp://10.0.0.1:2375",
    ),
    "name and value": (
        "SharedAccessKeyName=Root", "the AccountKey was regenerated",
        "PWD=/root OLDPWD=/home",
        "PWD=C:\\Users",
        'if password == "": return',
        "passwordPolicy=strict",
        "token_count=5",
        "bypass=1 nextToken=2",
        "grep 'password=' /etc && x",
        "grep \"token=\" ; x",
        "the password is weak",
        '{"passwordPolicy": "strict"}', '{"password": null}',
        '{"name": "PASSWORD_FILE", "value": "/x"}', '{"name": "token", "kind": "x"}',
        "<passwordPolicy>strict</passwordPolicy>", "<password/>",
    ),
    "line of YAML": (
        "password: null\nx: y", "a: b\n  token: true", "passwordPolicy: strict", "the password: weak", "secrets:\n  - a",
    ),
    "option": (
        "--password-file /run/x", "--password-stdin", "--no-password -h x", "-Password (Get-It)",
        "openssl rsa -passin env:X -in k",
    ),
    "/p:": (
        "msbuild /p:Configuration=Release", "http://p:80",
    ),
    "value of a name": (
        "az keyvault secret show --name n --value x", "az keyvault secret set --file /x",
        "reg add HKLM\\X /v Run /t REG_SZ /d C:\\x.exe",
        "gh secret list",
    ),
    "variable that is set": (
        "setx PATH C:\\x", "aws configure set region eu-west-1", "setx SECRET_NAME x",
    ),
    "-p X": (
        "schtasks /create /rl HIGHEST /tn x", "schtasks /run /tn x /i",
        "plink -P 22 h",
        "psexec -d x",
    ),
    "-p X, -pX": (
        "docker run -p 80:80 x", "mkdir -p /tmp/x", "az login --use-device-code", "sshpass -f x; ssh -p 22 h",
        "mongod -p 1", "mongodump --port 27017", "docker run --name mongo -p 27017:27017 -d x", "mongosh -p --eval x",
        "--name mongo -p 127.0.0.1:27017:27017 x",
    ),
    "-pX": (
        "mysql -u root -p db", "mysql -P3306 db", "mysql --port=1; ls -pl",
    ),
    "-P X, -PX": (
        "ssh -P x", "sqlcmd -E -p", "sqlcmd -P -S h", "bcp x out y -p 1; wget -P /tmp", "scp -P 22 a b",
    ),
    "-w X, -wX": (
        "ldapsearch -W -b dc=x", "ldapsearch -x; ls -w 80",
    ),
    "-a X": (
        "redis-cli -A x", "redis-cli -h x; ls -a /tmp", "redis-server -a x", "redis-cli --askpass",
    ),
    "-k X": (
        "openssl x509 -k x",
        "curl -k x",
    ),
    "-N X": (
        "ssh-keygen -f k",
        "ssh -N h",
    ),
    "user and password": (
        "curl -u root https://x", "sort -u a:b", "curl https://x; docker run -u 1:1 x",
    ),
    "user:X@host": (
        "secretsdump.py -h", "GetUserSPNs.py D/u -request", "psexec.py u@h:445",
    ),
    "user/X@host": (
        "sqlplus / as sysdba",
        "cat a/b@c",
    ),
    "word into a pipe": (
        "chpasswd < /tmp/x", "echo a:b | tee x",
        "echo x | sudo tee /x",
        "echo id | sudo sh",
    ),
    "net user, net use": (
        "net user", "net user bob", "net user bob /add", "net users were deleted", "net use * /delete",
    ),
    "word at its place": (
        "rabbitmqctl list_users",
        "htpasswd -D f bob",
    ),
    "ConvertTo-SecureString": (
        "ConvertTo-SecureString $x -AsPlainText", "$x | ConvertTo-SecureString",
    ),
    "SQL": (
        "identified by a scanner", "the password 'policy"[:12],
    ),
}  # fmt: skip


def _split(text: str) -> tuple[str, str, str]:
    """A text without the braces around its credential: what stands before it, the credential, what stands behind it."""
    end = text.index(
        "}", max(text.find(mark) for mark in ("hUnter2", "{" + text.rpartition("{")[2])) if "{" in text else 0
    )
    start = text.rindex("{", 0, end)
    return text[:start], text[start + 1 : end], text[end + 1 :]


MASKED_CASES = [pytest.param(text, id=f"{name}-{n}") for name, texts in MASKED.items() for n, text in enumerate(texts)]
LEFT_CASES = [pytest.param(text, id=f"{name}-{n}") for name, texts in LEFT.items() for n, text in enumerate(texts)]


def test_every_form_has_texts_that_are_masked_and_texts_that_are_left() -> None:
    """No form is without examples, each form has a name of its own, and its signs are in lower case."""
    names = [form.name for form in credential_forms()]
    assert names == list(MASKED) == list(LEFT)
    assert all(sign == sign.lower() for form in credential_forms() for sign in form.signs)


@pytest.mark.parametrize("text", MASKED_CASES)
def test_a_credential_is_masked_and_the_rest_stays(text: str) -> None:
    """What stands before and behind a credential is told, the credential is not; a second time changes nothing."""
    before, secret, behind = _split(text)
    told = masked(before + secret + behind)
    assert told == before + MASK + behind
    assert masked(told) == told


@pytest.mark.parametrize("text", MASKED_CASES)
def test_a_credential_is_masked_in_the_words_of_a_process(text: str) -> None:
    """Whatever is told of the process before and behind its command line."""
    before, secret, behind = _split(text)
    for known in (" (0x2a8)", " (7), by SHOP\\ada, child of cmd.exe", ", by ada", ", child of bash"):
        told = masked(f"c:\\temp\\x.exe: {before}{secret}{behind}{known}")
        assert secret not in told
        assert told.startswith(f"c:\\temp\\x.exe: {before}{MASK}")


@pytest.mark.parametrize("text", LEFT_CASES)
def test_what_is_no_credential_stays(text: str) -> None:
    """Words that only look like the beginning of a form are told."""
    assert masked(text) == text


@pytest.mark.parametrize("form", credential_forms(), ids=lambda form: form.name)
def test_each_form_is_needed(form: object) -> None:
    """Without a form, at least one of its texts would be told: no form stands in the table for nothing."""
    others = [one for one in credential_forms() if one is not form]
    name = next(one.name for one in credential_forms() if one is form)
    left = []
    for text in MASKED[name]:
        before, secret, behind = _split(text)
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


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_hostile_text_leads_a_form_astray(piece: str) -> None:
    """Whatever is repeated, the time grows with a text's length: were a form quadratic, nobody would wait for it."""
    assert masked(SIGNS + piece * (50_000 // len(piece)))


def test_a_megabyte_of_hostile_text_is_masked() -> None:
    """The same of all of them together."""
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
