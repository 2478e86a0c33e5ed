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
{{- $size := 0 }}
{{- range $path, $text := .rules.files }}
{{- $size = add $size (len $text) }}
{{- range $above := list (dir $path) (dir (dir $path)) (dir (dir (dir $path))) }}
{{- if hasKey $.Values.rules.files $above }}
{{- fail (printf "rules.files: %s is a file, and a directory for %s; give one of them" $above $path) }}
{{- end }}
{{- end }}
{{- end }}
{{- if gt $size 1048576 }}
{{- fail "rules.files: are larger than the mebibyte that a ConfigMap holds; give rules.git" }}
{{- end }}
{{- else if not .rules.git.repository }}
{{- fail "rules: has neither files nor git.repository; docs/serve.md says how to give the files" }}
{{- else if not (regexMatch `^https://[^@/?#\s]+/[^@?#\s]+$` .rules.git.repository) }}
{{- fail "rules.git.repository: is no https URL without a name, a password and a query; secrets stand in rules.git.existingSecret" }}
{{- else if not (regexMatch `^(https?://[^@/?#\s]+/?)?$` .rules.git.proxy) }}
{{- fail "rules.git.proxy: is not http://HOST:PORT; a password would stand in the Deployment, so give a proxy that needs none" }}
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
{{- else if regexMatch `[?#\s]` .state.url }}
{{- fail "state.url: has more than postgresql://ROLE@HOST/DATABASE; give such an address as ALERT_ROUTER_STATE in existingSecret" }}
{{- else if and .state.url (not (hasPrefix "postgresql://" .state.url)) }}
{{- fail "state.url: does not begin with postgresql://" }}
{{- else if and (not .state.url) (not .existingSecret) }}
{{- fail "state.url: is not set; give it, or an existingSecret that has ALERT_ROUTER_STATE" }}
{{- end }}
{{- range $name, $value := .settings }}
{{- if or (regexMatch "//[^/@]*:[^/@]*@" $value) (and (regexMatch "(?i)_proxy$" $name) (contains "@" $value)) }}
{{- fail (printf "settings.%s: has a password, which would stand in the Deployment; give it in existingSecret" $name) }}
{{- end }}
{{- end }}
{{- if and .workloadIdentity.clientId (hasKey .podLabels "azure.workload.identity/use") }}
{{- fail "podLabels: azure.workload.identity/use is set by workloadIdentity.clientId; give one" }}
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
