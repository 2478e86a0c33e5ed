"""The forms of credentials that are masked where people read: a table. Nothing is guessed from how random a text looks.

A form is a lead, such as `--password`, and the value behind it, which is masked. No form looks further behind a lead than one
value, and no value is looked at from two leads, so that a text of any make is gone through in a time that grows with its
length alone. Texts are taken as they stand: what somebody encoded, as in base64, or wrote over several lines is not put
together.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.destinations.wording.credential_patterns import (
    BEGINS,
    BETWEEN,
    BLANK,
    COLON,
    COOKIE,
    CRUMB,
    EQUALS,
    IN_A_QUERY,
    IN_QUOTES,
    NO_OPTION,
    QUOTE,
    QUOTED,
    TO_A_SIGN,
    WORD,
    token,
    words_in_any_case,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialForm:
    """One form in which a credential is written.

    Attributes:
        name: what it is called in the docs and in tests.
        what: what it is, for people.
        source: where the form is documented.
        signs: texts in lower case of which one stands in every text that has the form.
        lead: the pattern of what stands before the value; it stays.
        value: the pattern of what stands behind the lead; the group of it that matches is masked.
        tool: the pattern of the program that makes the lead mean a credential, where it alone does not: it stands before it in
            one command.
    """

    name: str
    what: str
    source: str
    signs: tuple[str, ...]
    lead: str
    value: str
    tool: str | None = None


_NAMES = (
    "password", "passwd", "passphrase", "client secret", "app secret", "api key", "api secret", "access token",
    "refresh token", "auth token", "session token", "private token", "bearer token", "sas token", "secret access key",
    "secret key", "subscription key", "personal access token",
)  # fmt: skip
_AZURE_NAMES = ("account key", "access key", "storage key", "shared secret")
_EVERY_NAME = words_in_any_case(*_NAMES, *_AZURE_NAMES)

CREDENTIAL_NAMES = frozenset(name.replace(" ", "") for name in (*_NAMES, *_AZURE_NAMES)) | {
    "pwd", "sas", "sassignature", "sharedaccesssignature", "sharedaccesskey", "sharedkey", "authorization", "jwt",
    "privatekey", "primarykey", "secondarykey", "functionkey", "hostkey", "masterkey", "secretvalue", "idtoken",
}  # fmt: skip
"""Names of properties, by their letters and digits, whose values are credentials whatever they look like."""

_SHORT = r"(?:(?<=_)|(?<![\w-]))(?i:token|secret|pass)"
"""Names that mean a credential by themselves or behind an underscore, and not as the end of any word."""

_LEARN = "https://learn.microsoft.com/"

CREDENTIAL_FORMS = (
    CredentialForm(
        name="private key",
        what="a private key in PEM, from its first line to its last; of one that is cut, what may stand in it",
        source="https://www.rfc-editor.org/rfc/rfc7468#section-10",
        signs=("private",),
        lead=(
            r"-----BEGIN(?:[ +]|%20)(?:[A-Z0-9]{1,12}(?:[ +]|%20)){0,3}PRIVATE(?:[ +]|%20)KEY(?:(?:[ +]|%20)BLOCK)?-----"
        ),
        # Whoever looks for keys writes the first line of one alone, and what stands behind it is the attack.
        value=(
            r"(?P<whole>(?:[^-]++|-(?!----(?:END|BEGIN)))++)(?=-----END)"
            r"|(?P<cut>(?:[A-Za-z0-9+/=:,.\s]++|\\[nr]|%[0-9A-Fa-f]{2}|-(?!----))++)"
        ),
    ),
    CredentialForm(
        name="shared access signature",
        what="`SharedAccessSignature=` of a connection string",
        source=_LEARN + "azure/storage/common/storage-configure-connection-string",
        signs=("sharedaccesssignature",),
        lead=rf"(?i:SharedAccessSignature)\s{{0,3}}{EQUALS}\s{{0,3}}",
        value=r"(?:\\*[\"'])?(?P<bare>(?:[^\s\"';\\]|\\u0026)++)",
    ),
    CredentialForm(
        name="SAS signature",
        what="the signature of a shared access signature: `sig` in a query, also of URL-encoded text",
        source=_LEARN + "rest/api/storageservices/create-service-sas#specify-the-signature",
        signs=("sig=", "sig%3d", "sig%253d", "sig\\u003d"),
        lead=BEGINS + r"(?i:sig)(?:=|%3[Dd]|%253[Dd]|\\u003[dD])",
        value=IN_A_QUERY,
    ),
    CredentialForm(
        name="account key",
        what="`AccountKey`, `SharedAccessKey` or `AccessKey` of a connection string of Azure",
        source=_LEARN + "azure/storage/common/storage-configure-connection-string",
        signs=("key", "shared"),
        lead=rf"{words_in_any_case(*_AZURE_NAMES)}{QUOTE}?\s{{0,3}}{EQUALS}\s{{0,3}}",
        value=WORD,
    ),
    CredentialForm(
        name="storage key",
        what="64 bytes in base64 (88 characters) behind the word key, with up to five words between them that speak of no hash",
        source=_LEARN + "azure/storage/common/storage-account-keys-manage",
        signs=("key",),
        lead=(
            rf"(?i:key)[A-Za-z0-9]{{0,2}}{BETWEEN}"
            rf"(?:(?!(?i:key|hash|sha|sum|checksum|digest|integrity|signature|fingerprint))[A-Za-z0-9_-]{{1,24}}{BETWEEN}){{0,5}}"
        ),
        value=token(r"[A-Za-z0-9+/]{86}=="),
    ),
    CredentialForm(
        name="Azure key",
        what="a key of Azure that carries its service's mark, such as `+ASt`, `AzFu`, `AZDO`",
        source=_LEARN + "purview/sit-defn-azure-storage-account-key",
        signs=("+ast", "+asb", "+aeh", "+aba", "+acr", "acdb", "aiot", "azfu", "azse", "apim", "azdo", "jqqj99"),
        lead=r"(?<![A-Za-z0-9+/_-])",
        value=token(
            r"(?:[A-Za-z0-9+/]{76}\+ASt[A-Za-z0-9+/]{5}[AQgw]==|[A-Za-z0-9+/]{76}ACDb[A-Za-z0-9+/]{5}[AQgw]=="
            r"|[A-Za-z0-9+/]{33}(?:\+ASb|\+AEh|AIoT)[A-Za-z0-9+/]{6}=|[A-Za-z0-9+/]{76}\+ABa[A-Za-z0-9+/]{5}[AQgw]=="
            r"|[A-Za-z0-9+/]{42}\+ACR[A-Za-z0-9+/]{6}|[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{5}[AQgw]=="
            r"|[A-Za-z0-9]{42}AzSe[A-Za-z0-9]{6}|[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}|[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26})"
        ),
    ),
    CredentialForm(
        name="Entra client secret",
        what="a client secret of Microsoft Entra ID: three characters, a digit, `Q~`, and 31 to 34 more",
        source="https://github.com/gitleaks/gitleaks/blob/master/cmd/generate/config/rules/azure.go",
        signs=("q~",),
        lead=r"(?<![\w~.-])(?=[\w~.]{3}\dQ~)",
        value=token(r"[\w~.]{3}\dQ~[\w~.-]{31,34}(?![\w~-])"),
    ),
    CredentialForm(
        name="Authorization header",
        what="`Authorization` with one of the schemes Bearer, Basic, Token, Negotiate, NTLM, SharedKey, ApiKey or GenieKey",
        source="https://www.rfc-editor.org/rfc/rfc9110#name-authorization",
        signs=("authorization",),
        lead=(
            rf"(?i:authorization){QUOTE}?\s{{0,3}}{COLON}{BLANK}{{0,3}}{QUOTE}?"
            rf"(?i:bearer|basic|token|negotiate|ntlm|shared ?key(?: ?lite)?|api-?key|geniekey){BLANK}{{1,3}}"
        ),
        value=TO_A_SIGN,
    ),
    CredentialForm(
        name="request signature",
        what="the signature of a request to AWS, behind `SignedHeaders` or as `X-Amz-Signature`",
        source="https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html",
        signs=("signature=", "signature%3d", "signature\\u003d"),
        lead=rf"(?:SignedHeaders=[A-Za-z0-9;_-]{{1,512}}+,?\s{{0,3}}|(?i:X-Amz-))(?i:Signature){EQUALS}",
        value=token(r"[0-9A-Za-z]{8,}+"),
    ),
    CredentialForm(
        name="cookie",
        what="what stands in a header `Cookie` or `Set-Cookie`",
        source="https://www.rfc-editor.org/rfc/rfc6265#section-4",
        signs=("cookie",),
        lead=rf"{BEGINS}(?i:(?:set-)?cookie){QUOTE}?\s{{0,3}}(?::|%3[Aa]){BLANK}{{0,3}}{QUOTE}?",
        value=token(rf"{COOKIE}={CRUMB}(?:;\s{{0,3}}{COOKIE}(?:={CRUMB})?)*+"),
    ),
    CredentialForm(
        name="Authorization of curl",
        what="`Authorization` with a word alone, in an option `-H` or `--header`",
        source="https://curl.se/docs/manpage.html#-H",
        signs=("authorization",),
        lead=r"(?<![\w-])(?:-H|--header)[\s=]{0,3}\\*[\"'](?i:authorization):\s{0,3}",
        value=token(r"[^\s\"'\\\[]++(?=\\*[\"'])"),
    ),
    CredentialForm(
        name="bearer token",
        what="Bearer and 20 characters or more that a token may have",
        source="https://www.rfc-editor.org/rfc/rfc6750#section-2.1",
        signs=("bearer",),
        lead=rf"(?i:bearer){BLANK}{{1,3}}",
        value=token(r"[A-Za-z0-9._~+/-]{20,}+=*+|[A-Za-z0-9._~+/-]++(?=…)"),
    ),
    CredentialForm(
        name="JSON web token",
        what="two or three parts in base64url, of which the first two begin with `eyJ`",
        source="https://www.rfc-editor.org/rfc/rfc7519#section-3",
        signs=("eyj",),
        lead=rf"{BEGINS}(?=eyJ)",
        value=token(
            r"eyJ[A-Za-z0-9_-]++\.eyJ[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]*+)?|eyJ[A-Za-z0-9_-]*+(?:\.[A-Za-z0-9_-]*+)?(?=…)"
        ),
    ),
    CredentialForm(
        name="token with a prefix",
        what="tokens of GitHub, GitLab, Slack, Google, npm, PyPI, Docker, AWS, OpenAI, Anthropic, Hugging Face, Databricks, "
        "Vault, Stripe, SendGrid and DigitalOcean, by their prefixes",
        source="https://docs.github.com/code-security/secret-scanning/introduction/supported-secret-scanning-patterns",
        signs=(
            "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "gl", "xox", "xapp-", "aiza", "ya29.", "gocspx-", "npm_",
            "pypi-", "dckr_pat_", "akia", "asia", "absk", "sk-", "hf_", "dapi", "hvs.", "k_live_", "sg.", "dop_v1_",
        ),
        lead=(
            BEGINS + r"(?=gh[pousr]_|github_pat_|gl[a-z]{2,5}-|xox|xapp-|AIza|ya29\.|GOCSPX-|npm_|pypi-|dckr_pat_|AKIA|ASIA"
            r"|ABSK|sk-|hf_|dapi|hvs\.|[sr]k_live_|SG\.|dop_v1_)"
        ),
        value=token(
            r"gh[pour]_[A-Za-z0-9]{36,}+|ghs_[A-Za-z0-9_.-]{36,}+|github_pat_[A-Za-z0-9_]{22,}+"
            r"|gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas|ffct)-[A-Za-z0-9_-]{20,}+(?:\.[a-z0-9]{2}\.[a-z0-9]{9})?"
            r"|xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}+|xapp-[A-Za-z0-9-]{10,}+"
            r"|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_.-]{20,}+|GOCSPX-[A-Za-z0-9_-]{28}"
            r"|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}+|dckr_pat_[A-Za-z0-9_-]{20,}+"
            r"|(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])|ABSK[A-Za-z0-9+/]{100,}+=*+"
            r"|sk-(?:proj-|svcacct-|admin-|ant-)[A-Za-z0-9_-]{20,}+|sk-[A-Za-z0-9]{40,}+"
            r"|hf_[A-Za-z0-9]{30,}+|dapi[a-f0-9]{32}(?:-\d)?|hvs\.[A-Za-z0-9_-]{24,}+|[sr]k_live_[A-Za-z0-9]{20,}+"
            r"|SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}|dop_v1_[a-f0-9]{64}"
            # Of one that a text was cut in, what is left; some are not known before their last character.
            r"|(?:gh[pousr]_|github_pat_|gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas|ffct)-|xox[a-z]|xapp-|AIza|ya29\.|GOCSPX-|npm_|pypi-"
            r"|dckr_pat_|AKIA|ASIA|ABSK|sk-|hf_|dapi|hvs\.|[sr]k_live_|SG\.|dop_v1_)[A-Za-z0-9_.-]*+(?=…)"
        ),
    ),
    CredentialForm(
        name="Slack webhook",
        what="the path of an incoming webhook of Slack",
        source="https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
        signs=("hooks.slack",),
        lead=r"(?i:hooks\.slack(?:-gov)?\.com)(?:/|%2[Ff])(?:services|triggers|workflows)(?:/|%2[Ff])",
        value=r"(?P<bare>[A-Za-z0-9/%_-]++)",
    ),
    CredentialForm(
        name="Teams or Discord webhook",
        what="the path of an incoming webhook of Teams (Office 365 connectors) or Discord",
        source="https://docs.discord.com/developers/resources/webhook#execute-webhook",
        signs=("webhook.office", "webhooks/", "webhooks%2f"),
        lead=(
            r"(?i:webhook\.office\.com)(?:/|%2[Ff])(?:webhookb2(?:/|%2[Ff]))?"
            r"|(?i:discord(?:app)?\.com)(?:/|%2[Ff])api(?:/|%2[Ff])(?:v\d{1,2}(?:/|%2[Ff]))?webhooks(?:/|%2[Ff])"
        ),
        value=token(r"[A-Za-z0-9/%@_-]++"),
    ),
    CredentialForm(
        name="token as a user",
        what="what stands before `@github.com` or `@gitlab.com` in the URL of a repository, where it has no password",
        source="https://docs.github.com/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens",
        signs=("@github.com", "@gitlab.com"),
        lead=r"(?<=https)://(?=[^\s/:@\[]{8,256}@(?i:github|gitlab)\.com)",
        value=token(r"[^\s/:@\[]++"),
    ),
    CredentialForm(
        name="URL with a password",
        what="the password in `scheme://user:password@host`",
        source="https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1",
        signs=("://", "%3a%2f%2f"),
        lead=r"://[^\s/:@?#\"'<>\\]{0,256}:|(?i:%3a%2f%2f)[^\s/%]{0,256}%3[Aa]",
        value=r"(?P<bare>(?:[^\s/\"'<>\\?#%]|%(?!2[Ff]|3[Ff]|23))+)(?=@|%40)",
    ),
    CredentialForm(
        name="key in a query",
        what="`code` of 20 characters or more, `token`, `key` and the like in the query of a URL, such as an Azure Function's",
        source=_LEARN + "azure/azure-functions/function-keys-how-to",
        signs=("code=", "token=", "key=", "secret=", "code%3d", "token%3d", "key%3d"),
        lead=(
            rf"(?:[?&]|%3[Ff]|%26|\\u0026|&amp;)(?i:code(?=(?:=|%3[Dd])[\w%+/=-]{{20}})|(?:access_|id_|refresh_|sas_?)?token"
            rf"|(?:subscription-|api-?|x-functions-)?key|client_secret|secret){EQUALS}"
        ),
        value=IN_A_QUERY,
    ),
    CredentialForm(
        name="key in a header",
        what="`x-functions-key`, `x-api-key`, `Ocp-Apim-Subscription-Key`, `PRIVATE-TOKEN`, `X-Vault-Token` and the like",
        source=_LEARN + "azure/azure-functions/function-keys-how-to",
        signs=("-key", "-token"),
        lead=(
            r"(?i:x-functions-key|x-api-key|(?<![\w-])api-key|ocp-apim-subscription-key|aeg-sas-(?:key|token)|private-token"
            r"|job-token|x-vault-token|x-auth-token|x-amz-security-token|x-access-token)"
            rf"{QUOTE}?\s{{0,3}}{COLON}{BLANK}{{0,3}}"
        ),
        value=WORD,
    ),
    CredentialForm(
        name="assignment",
        what="`PASSWORD=`, `Pwd=`, `client_secret=`, `api_key=`, `access_token=` and the like, however the name begins, and "
        "`TOKEN=`, `_SECRET=`, `pass=` by themselves or behind an underscore; `PWD=/...`, which is a directory, is not",
        source=_LEARN + "dotnet/framework/data/adonet/connection-string-syntax",
        signs=("pass", "pwd", "secret", "token", "key"),
        lead=(
            rf"(?:{words_in_any_case(*_NAMES)}|(?!PWD=(?:[/~$]|[A-Z]:))(?i:pwd)|{_SHORT})"
            rf"{QUOTE}?\s{{0,3}}[:+]?{EQUALS}\s{{0,3}}(?:N(?='))?"
        ),
        value=WORD,
    ),
    CredentialForm(
        name="JSON member",
        what='the same names as members of JSON: `"password": "..."`, also with escaped quotes',
        source="https://www.rfc-editor.org/rfc/rfc8259#section-4",
        signs=("pass", "pwd", "secret", "token", "key"),
        lead=rf"(?:{_EVERY_NAME}|(?i:pwd)|{_SHORT}){QUOTE}\s{{0,8}}(?::|%3[Aa])\s{{0,8}}",
        value=IN_QUOTES,
    ),
    CredentialForm(
        name="line of YAML",
        what="the same names at the beginning of a line, before a colon and a blank",
        source="https://kubernetes.io/docs/concepts/configuration/secret/",
        signs=("pass", "pwd", "secret", "token", "key"),
        lead=(
            rf"(?:\A|(?<=[\r\n])|(?<=\\n))[ \t]{{0,40}}(?:-[ \t]{{1,4}})?(?:[A-Za-z0-9]{{1,20}}[_-]){{0,4}}"
            rf"(?:{_EVERY_NAME}|(?i:pwd|token|secret)):[ \t]{{1,4}}(?!(?:null|true|false|~)(?:\s|\Z))"
        ),
        value=WORD,
    ),
    CredentialForm(
        name="variable of a container",
        what="the value of a variable that is called so, in the specification of a container",
        source="https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/",
        signs=("value",),
        lead=(
            rf"(?i:name){QUOTE}\s{{0,8}}:\s{{0,8}}{QUOTE}(?:[A-Za-z0-9]{{1,20}}_){{0,4}}"
            rf"(?:{_EVERY_NAME}|(?i:pwd|pass|token|secret)){QUOTE}\s{{0,8}},\s{{0,8}}{QUOTE}(?i:value){QUOTE}\s{{0,8}}:\s{{0,8}}"
        ),
        value=IN_QUOTES,
    ),
    CredentialForm(
        name="element of XML",
        what="the same names as elements of XML: `<password>...</password>`",
        source="https://maven.apache.org/settings.html#servers",
        signs=("password>", "passwd>", "passphrase>", "key>", "token>", "secret>", "pwd>"),
        lead=rf"<(?:\w{{1,32}}:)?(?:{_EVERY_NAME}|(?i:pwd|token|secret))>",
        value=token(r"[^<>\r\n]++"),
    ),
    CredentialForm(
        name="variable that is set",
        what="what `setx`, `SetEnvironmentVariable` and `aws configure set` set, where the name is such a name",
        source=_LEARN + "windows-server/administration/windows-commands/setx",
        signs=("setx", "setenvironmentvariable", "configure"),
        lead=(
            r"(?i:(?<![\w-])setx(?:\.exe)?\s{1,4}|SetEnvironmentVariable\(\s{0,3}\\*[\"']|(?<![\w-])aws\s{1,4}configure\s{1,4}set\s{1,4})"
            rf"(?:[A-Za-z0-9]{{1,20}}_){{0,4}}(?:{_EVERY_NAME}|(?i:pwd|pass|token|secret))(?:\\*[\"']\s{{0,3}},\s{{0,3}}|\s{{1,4}})"
        ),
        value=NO_OPTION,
    ),
    CredentialForm(
        name="password of an option",
        what="`--password X`, `-Password X`, `/password:X`, `--client-secret`, `--api-key`, `--token` and the like",
        source="https://attack.mitre.org/techniques/T1552/",
        signs=("pass", "pwd", "secret", "token", "key"),
        lead=(
            rf"(?<![\w-])(?:--?|/)(?!no-)(?:[A-Za-z]{{1,12}}[-_]?)?(?:{_EVERY_NAME}|(?i:pwd|pass|token|secret))"
            r"(?:\s{0,3}[=:]\s{0,3}|\\*[\"']\s{0,3}[,\s]\s{0,3}|\s{1,8})"
        ),
        value=NO_OPTION,
    ),
    CredentialForm(
        name="/p:",
        what="`/p:X`, where it sets no property, as MSBuild's does",
        source="https://github.com/FreeRDP/FreeRDP/wiki/CommandLineInterface",
        signs=("/p:",),
        lead=r"(?<![\w/:.])/p:(?!\\*[\"']?[A-Za-z_][\w.]*+=)",
        value=NO_OPTION,
    ),
    CredentialForm(
        name="-p of a tool",
        what="`-p X` of sshpass, PsExec, docker, podman, helm and oc login, az login, az acr login, az sql and the like, "
        "evil-winrm, CrackMapExec and NetExec; `-pw X` of PuTTY's tools",
        source="https://attack.mitre.org/techniques/T1552/",
        signs=(
            "sshpass", "psexec", "login", "az ",
            "evil-winrm", "crackmapexec", "netexec", "nxc", "plink", "pscp", "psftp", "putty",
        ),
        tool=(
            r"(?<![\w-])(?i:sshpass|psexec(?:64)?|(?:docker|podman|az(?:\s+acr)?|oc|buildah|helm\s+registry)\s+login"
            r"|az\s+(?:sql|mysql|postgres|mariadb|synapse)|evil-winrm|crackmapexec"
            r"|netexec|nxc|plink|pscp|psftp|putty)(?:\.exe)?(?![\w-])"
        ),
        lead=r"(?<=[\s\"'])-pw?(?:\\*[\"']\s{0,3}[,\s]\s{0,3}|\s{1,8})",
        value=NO_OPTION,
    ),
    CredentialForm(
        name="mongosh -p",
        what="`-p X` of mongosh, mongo and MongoDB's tools, where it is no port",
        source="https://www.mongodb.com/docs/mongodb-shell/reference/options/",
        signs=("mongo",),
        tool=r"(?<![\w-])(?i:mongo(?:sh|dump|restore|export|import|files|stat|top)?)(?:\.exe)?(?![\w-])",
        lead=r"(?<=[\s\"'])-p(?:\\*[\"']\s{0,3}[,\s]\s{0,3}|=|\s{1,8})",
        # `--name mongo -p 27017:27017` is docker's.
        value=rf"(?!(?:[\d.]{{7,15}}:)?\d{{1,5}}:\d{{1,5}}(?!\S))(?:{NO_OPTION})",
    ),
    CredentialForm(
        name="mysql -p",
        what="`-pX` of the clients of MySQL and MariaDB, without a blank, and of sshpass",
        source="https://dev.mysql.com/doc/refman/8.4/en/password-security-user.html",
        signs=("mysql", "mariadb", "sshpass"),
        tool=(
            r"(?<![\w-])(?i:mysql(?:dump|admin|import|show|check|sh|slap|binlog|pump)?|mariadb(?:-\w{1,12})?|sshpass)"
            r"(?:\.exe)?(?![\w-])"
        ),
        lead=r"(?<=[\s\"'])-p(?=\S)",
        value=WORD,
    ),
    CredentialForm(
        name="-P of a tool",
        what="`-P X` and `-PX` of sqlcmd, osql and bcp",
        source=_LEARN + "sql/tools/sqlcmd/sqlcmd-utility",
        signs=("sqlcmd", "osql", "bcp"),
        tool=r"(?<![\w-])(?i:sqlcmd|osql|bcp)(?:\.exe)?(?![\w-])",
        lead=r"(?<=[\s\"'])[-/]P(?:\\*[\"']\s{0,3}[,\s]\s{0,3}|\s{0,8})",
        value=NO_OPTION,
    ),
    CredentialForm(
        name="redis-cli -a",
        what="`-a X` of redis-cli and valkey-cli",
        source="https://redis.io/docs/latest/develop/tools/cli/",
        signs=("redis-cli", "valkey-cli"),
        tool=r"(?<![\w-])(?i:redis-cli|valkey-cli)(?:\.exe)?(?![\w-])",
        lead=r"(?<=[\s\"'])-a(?:\\*[\"']\s{0,3}[,\s]\s{0,3}|\s{1,8})",
        value=NO_OPTION,
    ),
    CredentialForm(
        name="ldapsearch -w",
        what="`-w X` of OpenLDAP's tools",
        source="https://www.openldap.org/software/man.cgi?query=ldapsearch",
        signs=("ldap",),
        tool=r"(?<![\w-])ldap(?:search|add|modify|modrdn|delete|passwd|whoami|compare|exop)(?![\w-])",
        lead=r"(?<=[\s\"'])-w(?:\\*[\"']\s{0,3}[,\s]\s{0,3}|\s{1,8})",
        value=NO_OPTION,
    ),
    CredentialForm(
        name="schtasks /rp",
        what="`/rp X` and `/p X` of schtasks",
        source=_LEARN + "windows-server/administration/windows-commands/schtasks-create",
        signs=("schtasks",),
        tool=r"(?<![\w-])(?i:schtasks)(?:\.exe)?(?![\w-])",
        lead=r"(?<=[\s\"'])/(?i:r?p)(?:\\*[\"']\s{0,3}[,\s]\s{0,3}|\s{1,8})",
        value=NO_OPTION,
    ),
    CredentialForm(
        name="secret of a vault",
        what="`--value X` of az keyvault secret set",
        source=_LEARN + "cli/azure/keyvault/secret#az-keyvault-secret-set",
        signs=("keyvault",),
        tool=r"(?<![\w-])(?i:az)(?:\.cmd)?\s+keyvault\s+secret\s+set(?![\w-])",
        lead=r"(?<=[\s\"'])--value(?:\\*[\"']\s{0,3}[,\s]\s{0,3}|[\s=]{1,8})",
        value=NO_OPTION,
    ),
    CredentialForm(
        name="Impacket target",
        what="the password in `[domain/]user:password@host` of Impacket's tools",
        source="https://github.com/fortra/impacket",
        signs=(".py", "impacket"),
        tool=(
            r"(?<![\w-])(?i:impacket-\w{2,20}|(?:secretsdump|psexec|wmiexec|smbexec|atexec|dcomexec|smbclient|mssqlclient|lookupsid"
            r"|samrdump|reg|services|GetUserSPNs|GetNPUsers|GetADUsers|getTGT|getST|ticketer|rpcdump|ntlmrelayx|addcomputer)\.py)(?!\w)"
        ),
        lead=r"(?<=[\s\"'])(?:[^\s/:@\"'\\]{1,64}/)?[^\s/:@\"'\\]{1,64}:",
        value=token(r"[^\s\"'\\\[@]++(?:@[^\s\"'\\@]++)*(?=@)"),
    ),
    CredentialForm(
        name="chpasswd",
        what="the password of `user:password` that echo hands to chpasswd",
        source="https://man7.org/linux/man-pages/man8/chpasswd.8.html",
        signs=("chpasswd",),
        lead=(
            r"(?<![\w-])echo\s{1,4}(?:-[en]{1,2}\s{1,4})?\\*[\"']?[\w.$-]{1,64}:"
            r"(?=[^\s|]{1,256}\s{0,4}\|\s{0,4}(?:sudo\s{1,4})?(?:/usr)?(?:/sbin/)?chpasswd)"
        ),
        value=TO_A_SIGN,
    ),
    CredentialForm(
        name="-u of a tool",
        what="the password in `-u user:password` of curl, and in `-U user%password` of smbclient and rpcclient",
        source="https://curl.se/docs/manpage.html#-u",
        signs=("curl", "smbclient", "rpcclient"),
        tool=r"(?<![\w-])(?i:curl|smbclient|rpcclient)(?:\.exe)?(?![\w-])",
        lead=r"(?<=\s)(?:-[A-Za-z]{0,6}[uU]|--(?:proxy-)?user)[\s=]{0,3}\\*[\"']?[^\s:%\"'\\]{0,128}[:%](?!//)",
        value=TO_A_SIGN,
    ),
    CredentialForm(
        name="net user, net use",
        what="the password of `net user NAME PASSWORD` and of `net use [DRIVE:] \\\\HOST\\SHARE PASSWORD`, before an option or "
        "at the end",
        source=_LEARN + "windows-server/administration/windows-commands/net-user",
        signs=("net",),
        lead=(
            r"(?<![\w-])(?i:net1?(?:\.exe)?[\"']?\s{1,4}use)"
            r"(?:(?i:r)\s{1,4}(?!(?:was|were|is|and|or|to|commands?|accounts?)\s)(?:\\*\"[^\"\\\r\n]{1,64}\\*\"|[^\s\"'/]{1,64})\s{1,4}"
            r"|\s{1,4}(?:(?:[A-Za-z]:|\*)\s{1,4})?\\*[\"']?\\\\[^\s\"']{1,256}[\"']?\s{1,4}(?:/(?i:user):[^\s\"']{1,128}\s{1,4})?)"
        ),
        value=(
            rf"(?:{QUOTED}|(?![-(/*])(?P<bare>(?:[^\s\"'&|<>`\\]|\^[&|<>^]|\\++(?![\"'\\]))++))"
            # Behind a command line may stand the number of its process, who ran it, and what started it.
            r"(?=\\*[\"']?\s{0,4}(?:[/\"'&|;)\r\n]|\((?i:0x[0-9a-f]{1,16}|[0-9]{1,10})\)|(?<=, )(?:by|child of) |\Z))"
        ),
    ),
    CredentialForm(
        name="ConvertTo-SecureString",
        what="the text that PowerShell makes a secure string of, and the second one of a PSCredential or NetworkCredential",
        source=_LEARN + "powershell/module/microsoft.powershell.security/convertto-securestring",
        signs=("convertto-securestring", "credential"),
        lead=(
            r"(?i:ConvertTo-SecureString)\s{1,4}(?:-\w{1,16}\s{1,4}){0,3}(?![-$(])"
            r"|(?i:(?:PS|Network)Credential)\]?(?:::new)?\s{0,4}\(\s{0,4}\\*[\"'][^\"'\\\r\n]{0,128}\\*[\"']\s{0,4},\s{0,4}(?=\\*[\"'])"
            r"|(?<!\\)(?=\\*[\"'][^\"'\\\r\n]{1,256}\\*[\"']\s{0,4}\|\s{0,4}(?i:ConvertTo-SecureString))"
        ),
        value=rf"{QUOTED}|(?P<bare>[^\s\"'|;$(-][^\s\"'|;]*+)(?=\s{{1,4}}-(?i:asplain))",
    ),
    CredentialForm(
        name="SQL password",
        what="the text behind `IDENTIFIED BY` or `PASSWORD` in SQL",
        source="https://www.postgresql.org/docs/current/sql-createrole.html",
        signs=("identified", "password"),
        lead=r"(?i:identified\s{1,4}(?:with\s{1,4}\S{1,64}\s{1,4})?by|password)\s{1,4}(?=\\*')",
        value=IN_QUOTES,
    ),
)  # fmt: skip
"""The forms, in the order in which a text is gone through."""
