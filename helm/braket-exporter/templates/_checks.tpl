{{/* Reject values that contradict each other. */}}
{{- define "braket-exporter.check" -}}
{{- include "braket-exporter.checkName" . }}
{{- include "braket-exporter.checkWeb" . }}
{{- include "braket-exporter.checkState" . }}
{{- include "braket-exporter.checkEnv" . }}
{{- include "braket-exporter.checkService" . }}
{{- include "braket-exporter.checkScrape" (list "serviceMonitor" .Values.serviceMonitor) }}
{{- include "braket-exporter.checkScrape" (list "podMonitor" .Values.podMonitor) }}
{{- end }}

{{/* The name of a Service starts with a letter. */}}
{{- define "braket-exporter.checkName" -}}
{{- $name := include "braket-exporter.fullname" . }}
{{- if not (regexMatch "^[a-z]" $name) }}
{{- fail (printf "the name of the release, %s, does not start with a letter, as the name of a Service must; set fullnameOverride" .Release.Name) }}
{{- end }}
{{- end }}

{{/* Variables that other values set. */}}
{{- define "braket-exporter.checkEnv" -}}
{{- $values := dict "BRAKET_EXPORTER_LISTEN_ADDRESS" "containerPort" "BRAKET_EXPORTER_WEB_CONFIG_FILE" "webConfig" "BRAKET_EXPORTER_STATE_FILE" "state" "BRAKET_EXPORTER_SHARD" "sharding.totalShards" "BRAKET_EXPORTER_TOTAL_SHARDS" "sharding.totalShards" "BRAKET_EXPORTER_CONFIG" "config" }}
{{- range .Values.extraEnv }}
{{- with get $values .name }}
{{- fail (printf "extraEnv sets a variable that the chart sets; use %s instead" .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Kubernetes rejects fields of other types of Services. */}}
{{- define "braket-exporter.checkService" -}}
{{- range $key := list "nodePort" "externalTrafficPolicy" "loadBalancerClass" "loadBalancerSourceRanges" }}
{{- $types := ternary (list "LoadBalancer") (list "LoadBalancer" "NodePort") (hasPrefix "load" $key) }}
{{- if and (get $.Values.service $key) (not (has $.Values.service.type $types)) }}
{{- fail (printf "service.%s is set, but service.type is %s; set service.type: %s" $key $.Values.service.type (last $types)) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Prometheus rejects a timeout above the interval: (list name values). */}}
{{- define "braket-exporter.checkScrape" -}}
{{- $name := index . 0 }}
{{- with index . 1 }}
{{- if and .interval .scrapeTimeout (gt (include "braket-exporter.milliseconds" .scrapeTimeout | int64) (include "braket-exporter.milliseconds" .interval | int64)) }}
{{- fail (printf "%s.scrapeTimeout, %s, is longer than %s.interval, %s; Prometheus rejects that" $name .scrapeTimeout $name .interval) }}
{{- end }}
{{- end }}
{{- end }}

{{/* A duration of Prometheus in milliseconds. */}}
{{- define "braket-exporter.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 "w" 604800000 "y" 31536000000 }}
{{- $sum := 0 }}
{{- range regexFindAll "[0-9]+(ms|[smhdwy])" . -1 }}
{{- $sum = add $sum (mul (regexFind "[0-9]+" . | atoi) (get $units (regexFind "[a-z]+" .))) }}
{{- end }}
{{- $sum }}
{{- end }}
