{{/* SPDX-License-Identifier: MIT */}}
{{- define "wiregauge.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "wiregauge.selector" -}}
app.kubernetes.io/name: wiregauge
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "wiregauge.labels" -}}
{{ include "wiregauge.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "wiregauge.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary (include "wiregauge.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "wiregauge.image" -}}
{{- with .Values.image -}}
{{ with .registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .repository -}}
{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{/* The daemon file: what was given, over what the values of features make of it. */}}
{{- define "wiregauge.config" -}}
{{- $features := dict }}
{{- if .Values.guard.enabled }}
{{- $_ := set $features "guard" (dict "enabled" true "mode" .Values.guard.mode) }}
{{- end }}
{{- if .Values.pods.enabled }}
{{- $_ := set $features "tc" (dict "netns" (list "all")) }}
{{- $_ := set $features "drops" (dict "by_netns" true) }}
{{- end }}
{{- toYaml (mergeOverwrite (dict "modules" $features) (deepCopy .Values.config)) }}
{{- end }}

{{/* Whoever listens with TLS or a password is asked only whether it listens. */}}
{{- define "wiregauge.probe" -}}
{{- if .Values.webConfigSecret -}}
tcpSocket: {port: metrics}
{{- else -}}
httpGet: {path: /, port: metrics, scheme: HTTP}
{{- end }}
{{- end }}
