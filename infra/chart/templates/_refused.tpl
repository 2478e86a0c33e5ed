{{/* What the schema cannot say: values that would start something that cannot work, and secrets, which it would print.
     Each has its remedy. */}}
{{- define "alert-router.refuse" -}}
{{- with .Values }}
{{- if not .image.repository }}
{{- fail "image.repository: is not set; there is no public image, so push that of a release to a registry of yours and name it" }}
{{- end }}
{{- if not .eventHubs.namespace }}
{{- fail "eventHubs.namespace: is not set; give NAME.servicebus.windows.net" }}
{{- end }}
{{- if and .rules.files .rules.git.repository }}
{{- fail "rules: has both files and git.repository; give one" }}
{{- else if .rules.files }}
{{- if not (hasKey .rules.files "cwpp/policy.yaml") }}
{{- fail "rules.files: has no cwpp/policy.yaml; give the files by their paths below the directory of the rules" }}
{{- end }}
{{- else if not .rules.git.repository }}
{{- fail "rules: has neither files nor git.repository; docs/serve.md says how to give the files" }}
{{- else if not (regexMatch "^https://[^@/]+/[^@]+$" .rules.git.repository) }}
{{- fail "rules.git.repository: is no https URL without a name and a password; those stand in rules.git.existingSecret" }}
{{- else if contains "@" .rules.git.proxy }}
{{- fail "rules.git.proxy: has a password, which would stand in the Deployment; give a proxy that needs none" }}
{{- else if not .rules.git.ref }}
{{- fail "rules.git.ref: is not set; give a commit, or a tag that stays" }}
{{- end }}
{{- if eq .state.kind "sqlite" }}
{{- if gt (int .replicas) 1 }}
{{- fail "replicas: a state in SQLite is one process's; give replicas: 1, or state.kind: postgresql" }}
{{- end }}
{{- if .state.url }}
{{- fail "state.url: is for PostgreSQL; give state.kind: postgresql, or no url" }}
{{- end }}
{{- else if regexMatch "^[^@/]*//[^@/]*:[^@]*@" .state.url }}
{{- fail "state.url: has a password, which would stand in the Deployment; give it as ALERT_ROUTER_STATE in existingSecret" }}
{{- else if and .state.url (not (hasPrefix "postgresql://" .state.url)) }}
{{- fail "state.url: does not begin with postgresql://" }}
{{- else if and (not .state.url) (not .existingSecret) }}
{{- fail "state.url: is not set; give it, or an existingSecret that has ALERT_ROUTER_STATE" }}
{{- end }}
{{- if contains "@" (.settings.ALERT_ROUTER_PROXY | default "") }}
{{- fail "settings.ALERT_ROUTER_PROXY: has a password, which would stand in the Deployment; give it in existingSecret" }}
{{- end }}
{{- if .console.enabled }}
{{- range $name := list "url" "issuer" "clientId" "roles" }}
{{- if not (index $.Values.console $name) }}
{{- fail (printf "console.%s: is not set; nobody is let in without a sign-in" $name) }}
{{- end }}
{{- end }}
{{- else if .console.ingress.enabled }}
{{- fail "console.ingress.enabled: leads to no console; give console.enabled: true" }}
{{- end }}
{{- if .networkPolicy.enabled }}
{{- with .settings.ALERT_ROUTER_PROXY }}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" (urlParse .).host) | default (hasPrefix "https:" . | ternary "443" "80") }}
{{- if not (or $.Values.networkPolicy.extraEgress (has $port (toStrings $.Values.networkPolicy.egressPorts))) }}
{{- fail (printf "networkPolicy.egressPorts: lacks %s, so settings.ALERT_ROUTER_PROXY cannot be reached; add it" $port) }}
{{- end }}
{{- end }}
{{- if and .metrics.serviceMonitor.enabled (not .networkPolicy.metricsFrom) }}
{{- fail "networkPolicy.metricsFrom: is empty, so no Prometheus may come in; give the namespace that it is in" }}
{{- end }}
{{- if and .console.enabled (not .networkPolicy.consoleFrom) }}
{{- fail "networkPolicy.consoleFrom: is empty, so nobody may reach the console; give the namespace of what terminates TLS" }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
