{{/* The endpoint of a ServiceMonitor or PodMonitor: (list . values). */}}
{{- define "braket-exporter.endpoint" -}}
port: metrics
path: /metrics
{{- with include "braket-exporter.webEndpoint" . }}
{{ . }}
{{- end }}
{{- with index . 1 }}
interval: {{ .interval }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- if .honorLabels }}
honorLabels: true
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* The other common fields of both monitors: (list . values). */}}
{{- define "braket-exporter.scrape" -}}
{{- with index . 1 -}}
{{- with .jobLabel -}}
jobLabel: {{ . }}
{{ end -}}
{{- if .sampleLimit -}}
sampleLimit: {{ int .sampleLimit }}
{{ end -}}
{{- end -}}
namespaceSelector:
  matchNames:
    - {{ (index . 0).Release.Namespace | quote }}
{{- end }}
