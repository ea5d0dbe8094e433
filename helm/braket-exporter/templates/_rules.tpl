{{/* A text with one part replaced; {} in the new part becomes the value: (list text {old, new} value place). */}}
{{- define "braket-exporter.replaced" -}}
{{- $change := index . 1 }}
{{- if not (contains $change.old (index . 0)) }}
{{- fail (printf "files/thresholds.yaml: the rule %s does not contain %q" (index . 3) $change.old) }}
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
{{- with include "braket-exporter.tagLabels" $root }}
{{- $_ := set $rule "expr" (replace $table.jobLabels (print $table.jobLabels ", " .) $rule.expr) }}
{{- end }}
{{- toYaml $rule }}
{{- end }}

{{/* A list, or its text in JSON or with commas, as a JSON list without empty names. */}}
{{- define "braket-exporter.names" -}}
{{- $names := default list . }}
{{- if kindIs "string" $names }}
{{- $names = ternary (fromJsonArray $names) (splitList "," $names) (hasPrefix "[" $names) }}
{{- end }}
{{- $trimmed := list }}
{{- range $names }}
{{- $trimmed = append $trimmed (trim .) }}
{{- end }}
{{- $trimmed | uniq | compact | toJson }}
{{- end }}

{{/* The labels of braket_job_info that prometheusRule.tagLabels, else config.tag_labels, add: "tag_team, tag_stage". */}}
{{- define "braket-exporter.tagLabels" -}}
{{- $keys := .Values.prometheusRule.tagLabels }}
{{- if kindIs "invalid" $keys }}
{{- $keys = .Values.config.tag_labels }}
{{- end }}
{{- $labels := list }}
{{- range include "braket-exporter.names" $keys | fromJsonArray }}
{{- $labels = append $labels (print "tag_" (regexReplaceAll "[^a-zA-Z0-9_]" . "_")) }}
{{- end }}
{{- $labels | uniq | join ", " }}
{{- end }}

{{/* A duration such as 1h30m or a number, in seconds. */}}
{{- define "braket-exporter.seconds" -}}
{{- $units := dict "ms" 0.001 "s" 1 "m" 60 "h" 3600 "d" 86400 "w" 604800 "y" 31536000 "" 1 }}
{{- $sum := ternary 0.0 (float64 .) (kindIs "string" .) }}
{{- range ternary (regexFindAll "[0-9.]+ *(ms|[smhdwy])?" (toString .) -1) list (kindIs "string" .) }}
{{- $sum = addf $sum (mulf (regexFind "[0-9.]+" . | float64) (get $units (regexFind "[a-z]+$" .))) }}
{{- end }}
{{- $sum }}
{{- end }}

{{/* Reject settings with which the rules cannot work. A disabled alert needs nothing. */}}
{{- define "braket-exporter.checkRules" -}}
{{- if and .Values.exporter.enabled .Values.prometheusRule.enabled }}
{{- range $monitor := list "serviceMonitor" "podMonitor" }}
{{- with get $.Values $monitor }}
{{- if and .enabled (gt (include "braket-exporter.seconds" .interval | float64) 120.0) }}
{{- fail (printf "%s.interval is %s, but the alerts need a scrape every 2 minutes; set at most 2m, or prometheusRule.enabled: false" $monitor .interval) }}
{{- end }}
{{- end }}
{{- end }}
{{- $config := .Values.config }}
{{- $alerts := .Values.prometheusRule.alerts }}
{{- $stale := .Values.prometheusRule.thresholds.staleSeconds }}
{{- $queues := list $config.event_queue_url }}
{{- range $config.targets }}
{{- $queues = append $queues .event_queue_url }}
{{- end }}
{{- $intervals := ternary (list "poll_interval" "event_poll_interval") (list "poll_interval") (not (empty (compact $queues))) }}
{{- range $key := ternary $intervals list (dig "BraketExporterStale" "enabled" true $alerts) }}
{{- with get $config $key }}
{{- if ge (include "braket-exporter.seconds" . | float64) (float64 $stale) }}
{{- fail (printf "config.%s is %v, so BraketExporterStale always fires; set prometheusRule.thresholds.staleSeconds above it, or disable the alert" $key .) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (not (kindIs "invalid" $config.retention_failed)) (lt (include "braket-exporter.seconds" $config.retention_failed | float64) 3600.0) (dig "BraketJobFailed" "enabled" true $alerts) }}
{{- fail (printf "config.retention_failed is %v: a job that fails while Prometheus cannot scrape may cause no alert; set at least 1h, or disable BraketJobFailed" $config.retention_failed) }}
{{- end }}
{{- $needed := list }}
{{- range $group := (.Files.Get "rules/jobs.yaml" | fromYaml).groups }}
{{- range $group.rules }}
{{- if and .alert (dig .alert "enabled" true $alerts) }}
{{- $needed = append $needed .alert }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $needed (eq (toString $config.per_job_metrics) "false") }}
{{- fail (printf "config.per_job_metrics is false, so these alerts never fire: %s; set per_job_metrics: true, or disable them in prometheusRule.alerts" (join ", " $needed)) }}
{{- end }}
{{- $rules := ternary (.Files.Get "rules/jobs.yaml") "" (not (empty $needed)) | print (.Files.Get "rules/exporter.yaml") }}
{{- range $group := (.Files.Get "rules/devices.yaml" | fromYaml).groups }}
{{- range $group.rules }}
{{- $rules = ternary (print $rules .expr) $rules (dig .alert "enabled" true $alerts) }}
{{- end }}
{{- end }}
{{- range include "braket-exporter.names" $config.disabled_metrics | fromJsonArray }}
{{- if regexMatch (printf "\\b%s\\b" (regexQuoteMeta .)) $rules }}
{{- fail (printf "config.disabled_metrics has %s, which the alerts need; remove it, or set prometheusRule.enabled: false" .) }}
{{- end }}
{{- end }}
{{- end }}
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
{{- with $own.keepFiringFor }}
{{- $_ := set $rule "keep_firing_for" . }}
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
