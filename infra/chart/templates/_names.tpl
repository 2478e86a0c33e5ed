{{/* The name of everything here: the release's, with the chart's where it lacks that. */}}
{{- define "alert-router.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "alert-router.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "alert-router.labels" -}}
{{ include "alert-router.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "alert-router.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}{{ end }}
{{- end }}

{{- define "alert-router.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "alert-router.name" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "alert-router.isSqlite" -}}
{{- if eq .Values.state.kind "sqlite" }}yes{{ end }}
{{- end }}

{{/* The key of a ConfigMap for the file of that path: keys have no slashes. */}}
{{- define "alert-router.key" -}}
{{ replace "/" "__" . }}
{{- end }}

{{/* What each container may do: as the level Restricted of Pod Security has it, and no write but into its volumes. */}}
{{- define "alert-router.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What the program is told, for each container that runs it. */}}
{{- define "alert-router.environment" -}}
{{- with .Values.existingSecret }}
envFrom:
  - secretRef: {name: {{ . | quote }}}
{{- end }}
env:
  # Every command that is run in the pod finds them, too.
  - {name: ALERT_ROUTER_RULES, value: {{ with .Values.rules.git }}/rules{{ if .repository }}/git/current/{{ .path }}{{ end }}{{ end }}}
  - {name: EVENT_HUBS__fullyQualifiedNamespace, value: {{ .Values.eventHubs.namespace | quote }}}
{{- if include "alert-router.isSqlite" . }}
  - {name: ALERT_ROUTER_STATE, value: /state/router}
{{- else if .Values.state.url }}
  - {name: ALERT_ROUTER_STATE, value: {{ .Values.state.url | quote }}}
{{- else }}
  # By its name, so that Kubernetes itself says that a secret lacks it.
  - {name: ALERT_ROUTER_STATE, valueFrom: {secretKeyRef: {name: {{ .Values.existingSecret | quote }}, key: ALERT_ROUTER_STATE}}}
{{- end }}
{{- if .Values.certificateAuthorities.configMap }}
  - {name: ALERT_ROUTER_CA_FILE, value: {{ printf "/authorities/%s" .Values.certificateAuthorities.key | quote }}}
{{- end }}
{{- with .Values.console }}
{{- if .url }}
  - {name: ALERT_ROUTER_CONSOLE_URL, value: {{ .url | quote }}}
{{- end }}
{{- if .enabled }}
  - {name: ALERT_ROUTER_CONSOLE_ISSUER, value: {{ .issuer | quote }}}
  - {name: ALERT_ROUTER_CONSOLE_CLIENT_ID, value: {{ .clientId | quote }}}
  - {name: ALERT_ROUTER_CONSOLE_ROLES, value: {{ .roles | quote }}}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.settings }}
  - {name: {{ $name | quote }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{/* What each container that runs the program finds, beside the rules. */}}
{{- define "alert-router.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .Values.certificateAuthorities.configMap }}
- {name: authorities, mountPath: /authorities, readOnly: true}
{{- end }}
{{- if include "alert-router.isSqlite" . }}
- {name: state, mountPath: /state}
{{- end }}
{{- with .Values.extraVolumeMounts }}{{ toYaml . | nindent 0 }}{{ end }}
{{- end }}
