{{/* Complete the values. Every template starts with it, because their order is not defined; the first one does the work. A value that
is null or missing gets its default, at every level: Helm does not do so for all values, and `helm upgrade --reuse-values` passes values
without the sections of a newer chart. */}}
{{- define "braket-exporter.init" -}}
{{- if not (hasKey .Values "complete") }}
{{- include "braket-exporter.complete" (list .Values (.Files.Get "files/defaults.yaml" | fromYaml)) }}
{{- range $key, $value := .Values.prometheusRule.thresholds }}
{{- if regexMatch "^[0-9]*[.]?[0-9]+$" (toString $value) }}
{{- $_ := set $.Values.prometheusRule.thresholds $key (float64 $value) }}
{{- end }}
{{- end }}
{{- with .Values.config.api_requests_per_second }}
{{- $_ := set $.Values.config "api_requests_per_second" (float64 .) }}
{{- end }}
{{- $_ := set .Values "complete" true }}
{{- end }}
{{- end }}

{{/* Complete a map: (list values defaults). In maps with fields of Kubernetes, a null removes a default. */}}
{{- define "braket-exporter.complete" -}}
{{- $values := index . 0 }}
{{- $defaults := index . 1 }}
{{- range $key, $value := $values }}
{{- $default := get $defaults $key }}
{{- if kindIs "invalid" $value }}
{{- $_ := unset $values $key }}
{{- else if and (kindIs "map" $value) (regexMatch "(?i)(labels|annotations|^nodeSelector)$" $key) }}
{{- $_ := set $values $key (include "braket-exporter.texts" $value | fromYaml) }}
{{- else if kindIs "map" $value }}
{{- $free := has $key (list "podSecurityContext" "securityContext" "strategy" "instanceSelector") }}
{{- include "braket-exporter.complete" (list $value (ternary $default dict (and (kindIs "map" $default) (not $free)))) }}
{{- if and (eq $key "seccompProfile") (not $value.type) }}
{{- $_ := unset $values $key }}
{{- end }}
{{- end }}
{{- end }}
{{- range $key, $default := $defaults }}
{{- if not (or (hasKey $values $key) (kindIs "invalid" $default)) }}
{{- $_ := set $values $key $default }}
{{- end }}
{{- end }}
{{- end }}

{{/* A map without nulls, with its values as strings, as Kubernetes requires for labels and annotations. */}}
{{- define "braket-exporter.texts" -}}
{{- $texts := dict }}
{{- range $key, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{- $_ := set $texts $key (include "braket-exporter.text" $value) }}
{{- end }}
{{- end }}
{{- toYaml $texts }}
{{- end }}

{{/* A value as a string. */}}
{{- define "braket-exporter.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}
