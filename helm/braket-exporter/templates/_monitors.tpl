{{/* The endpoint of a ServiceMonitor or PodMonitor: (list . values). */}}
{{- define "braket-exporter.endpoint" -}}
port: metrics
path: {{ (index . 1).path | quote }}
{{- with include "braket-exporter.webEndpoint" . }}
{{ . }}
{{- end }}
{{- $root := index . 0 }}
{{- $values := index . 1 }}
{{- with $values }}
{{- range $key := list "interval" "scrapeTimeout" "params" "proxyUrl" }}
{{- with get $values $key }}
{{ toYaml (dict $key .) }}
{{- end }}
{{- end }}
{{- if .honorLabels }}
honorLabels: true
{{- end }}
relabelings:
  - targetLabel: exporter_group
    replacement: {{ default (include "braket-exporter.group" $root) .exporterGroup | quote }}
{{- with .relabelings }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* The exporters that watch the same jobs: this release. */}}
{{- define "braket-exporter.group" -}}
{{- printf "%s/%s" .Release.Namespace (include "braket-exporter.fullname" .) }}
{{- end }}

{{/* The other common fields of both monitors: (list . values). */}}
{{- define "braket-exporter.scrape" -}}
{{- $values := index . 1 }}
{{- with $values -}}
{{- with .jobLabel -}}
jobLabel: {{ . }}
{{ end -}}
{{- range $key := list "sampleLimit" "targetLimit" "labelLimit" "labelNameLengthLimit" "labelValueLengthLimit" -}}
{{- with get $values $key -}}
{{ $key }}: {{ int . }}
{{ end -}}
{{- end -}}
{{- range $key := list "attachMetadata" "scrapeProtocols" -}}
{{- with get $values $key -}}
{{ toYaml (dict $key .) }}
{{ end -}}
{{- end -}}
{{- end -}}
namespaceSelector:
  matchNames:
    - {{ include "braket-exporter.namespace" (index . 0) | quote }}
{{- end }}
