{{/* A text with one part replaced; {} in the new part becomes the value: (list text {old, new} value place). */}}
{{- define "braket-exporter.replaced" -}}
{{- $change := index . 1 }}
{{- if not (contains $change.old (index . 0)) }}
{{- fail (printf "files/thresholds.yaml: there is no %q in %s" $change.old (index . 3)) }}
{{- end }}
{{- replace $change.old (replace "{}" (index . 2) $change.new) (index . 0) }}
{{- end }}

{{/* A rule with prometheusRule.thresholds: (list . rule). */}}
{{- define "braket-exporter.thresholded" -}}
{{- $root := index . 0 }}
{{- $rule := index . 1 }}
{{- $name := default $rule.record $rule.alert }}
{{- $table := $root.Files.Get "files/thresholds.yaml" | fromYaml }}
{{- range $key, $threshold := $table.thresholds }}
{{- $value := toJson (get $root.Values.prometheusRule.thresholds $key) }}
{{- if ne $value (toJson $threshold.default) }}
{{- range $place := $threshold.places }}
{{- if eq $place.rule $name }}
{{- range $field, $change := omit $place "rule" }}
{{- $holder := ternary $rule $rule.annotations (eq $field "expr") }}
{{- $_ := set $holder $field (include "braket-exporter.replaced" (list (get $holder $field) $change $value $name)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $rule }}
{{- end }}

{{/* An alert with the overrides of prometheusRule.alerts: (list . rule). */}}
{{- define "braket-exporter.alert" -}}
{{- $values := (index . 0).Values.prometheusRule }}
{{- $rule := index . 1 }}
{{- $own := default dict (get $values.alerts $rule.alert) }}
{{- $table := (index . 0).Files.Get "files/thresholds.yaml" | fromYaml }}
{{- with $own.for }}
{{- $_ := set $rule "for" . }}
{{- with get $table.waits $rule.alert }}
{{- $_ := set $rule.annotations "description" (include "braket-exporter.replaced" (list $rule.annotations.description . $own.for $rule.alert)) }}
{{- end }}
{{- end }}
{{- with $values.runbookBaseUrl }}
{{- $_ := set $rule.annotations "runbook_url" (replace $table.runbooks (trimSuffix "/" .) $rule.annotations.runbook_url) }}
{{- end }}
{{- with $values.grafanaUrl }}
{{- $_ := set $rule.annotations "dashboard" (print (trimSuffix "/" .) $rule.annotations.dashboard) }}
{{- end }}
{{- $severity := ternary (dict "severity" $own.severity) dict (not (empty $own.severity)) }}
{{- $_ := set $rule "labels" (mergeOverwrite $rule.labels (deepCopy $values.alertLabels) $severity (deepCopy (default dict $own.labels))) }}
{{- $_ := set $rule "annotations" (mergeOverwrite $rule.annotations (deepCopy (default dict $own.annotations))) }}
{{- toYaml $rule }}
{{- end }}
