{{/* The chart's name, or nameOverride. */}}
{{- define "braket-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The full name of most objects: release and chart, or fullnameOverride. Names of Services cannot have the dots of a release's name. */}}
{{- define "braket-exporter.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $release := replace "." "-" .Release.Name }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name $release }}
{{- $release | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" $release $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The namespace of most objects. */}}
{{- define "braket-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{/* The full name with a suffix, truncated before the suffix: (list . "test"). */}}
{{- define "braket-exporter.suffixed" -}}
{{- $suffix := index . 1 }}
{{- printf "%s-%s" (include "braket-exporter.fullname" (index . 0) | trunc (sub 62 (len $suffix) | int) | trimSuffix "-") $suffix }}
{{- end }}

{{/* The StatefulSet's name, short enough for the hash that Kubernetes adds in a label. volumeClaimTemplates are immutable, so a
StatefulSet with claims has another name. */}}
{{- define "braket-exporter.statefulsetName" -}}
{{- $name := include "braket-exporter.fullname" . }}
{{- if include "braket-exporter.persistent" . }}
{{- printf "%s-persistent" ($name | trunc 41 | trimSuffix "-") }}
{{- else }}
{{- $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "braket-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "braket-exporter.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "braket-exporter.image" -}}
{{- with .Values.image }}
{{- $repository := .repository }}
{{- $registry := default .registry $.Values.global.imageRegistry }}
{{- if and $registry (not (regexMatch "^(localhost|[^/]*[.:][^/]*)/" $repository)) }}
{{- $repository = printf "%s/%s" (trimSuffix "/" $registry) $repository }}
{{- end }}
{{- if .digest }}
{{- printf "%s@%s" $repository .digest }}
{{- else }}
{{- printf "%s:%s" $repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The image pull Secrets of a pod. */}}
{{- define "braket-exporter.imagePullSecrets" -}}
{{- $secrets := list }}
{{- range concat .Values.global.imagePullSecrets .Values.imagePullSecrets }}
{{- $secrets = append $secrets (ternary (dict "name" .) . (kindIs "string" .)) }}
{{- end }}
{{- with uniq $secrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Selector labels; immutable, so without a version. */}}
{{- define "braket-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "braket-exporter.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* The labels of an object: (list . labels). The chart's own labels take precedence. */}}
{{- define "braket-exporter.labels" -}}
{{- $root := index . 0 }}
{{- $labels := include "braket-exporter.selectorLabels" $root | fromYaml }}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- $_ := set $labels "app.kubernetes.io/version" $root.Chart.AppVersion }}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- toYaml (merge $labels (deepCopy (index . 1)) (deepCopy $root.Values.commonLabels)) }}
{{- end }}

{{/* The metadata of an object: (list . name labels annotations namespace). */}}
{{- define "braket-exporter.metadata" -}}
{{- $root := index . 0 }}
{{- $annotations := merge (deepCopy (index . 3)) (deepCopy $root.Values.commonAnnotations) -}}
name: {{ index . 1 }}
namespace: {{ default (include "braket-exporter.namespace" $root) (index . 4) | quote }}
labels:
  {{- include "braket-exporter.labels" (list $root (index . 2)) | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The exporter's settings: .Values.config and the settings that the chart controls. */}}
{{- define "braket-exporter.settings" -}}
{{- include "braket-exporter.check" . }}
{{- $settings := dict "listen_address" (printf ":%v" .Values.containerPort) }}
{{- if .Values.webConfig.existingSecret }}
{{- $_ := set $settings "web_config_file" (printf "/etc/braket-exporter-web/%s" .Values.webConfig.key) }}
{{- end }}
{{- if .Values.state.enabled }}
{{- $_ := set $settings "state_file" "/var/lib/braket-exporter/state.sqlite" }}
{{- end }}
{{- if gt (int .Values.sharding.totalShards) 1 }}
{{- $_ := set $settings "total_shards" (int .Values.sharding.totalShards) }}
{{- end }}
{{- range $key, $value := .Values.config }}
{{- $_ := set $settings $key $value }}
{{- end }}
{{- if $settings.targets }}
{{- range list "jobs" "tags" "all_jobs" "job_name_regex" "regions" }}
{{- if get $settings . }}
{{- fail (printf "config.targets and config.%s are both set; move config.%s into a target" . .) }}
{{- end }}
{{- end }}
{{- else if not (or $settings.jobs $settings.tags $settings.all_jobs) }}
{{- if hasKey $settings "all_jobs" }}
{{- fail "config selects no jobs; set config.jobs, config.tags, config.all_jobs or config.targets" }}
{{- end }}
{{- if not (include "braket-exporter.selectsElsewhere" .) }}
{{- $_ := set $settings "all_jobs" true }}
{{- end }}
{{- end }}
{{- toYaml $settings }}
{{- end }}

{{/* Whether extraEnv or extraArgs selects jobs. */}}
{{- define "braket-exporter.selectsElsewhere" -}}
{{- range .Values.extraEnv }}
{{- if has .name (list "BRAKET_EXPORTER_JOBS" "BRAKET_EXPORTER_TAGS" "BRAKET_EXPORTER_ALL_JOBS") }}true{{ end }}
{{- end }}
{{- range .Values.extraArgs }}
{{- if regexMatch "^--(jobs|tags|all-jobs)(=|$)" . }}true{{ end }}
{{- end }}
{{- end }}

{{/* The settings whose change restarts the pods: those that the exporter does not reload, or all with restartOnConfigChange. */}}
{{- define "braket-exporter.restartSettings" -}}
{{- $settings := include "braket-exporter.settings" . | fromYaml }}
{{- if not .Values.restartOnConfigChange }}
{{- $settings = omit $settings "jobs" "tags" "all_jobs" "job_name_regex" "regions" "targets" "poll_interval" "discovery_interval" "lookback" "retention" "retention_failed" "max_jobs" "disabled_metrics" "api_requests_per_second" "total_shards" "device_metrics" "device_interval" "spending_limits" "spending_limit_interval" "event_queue_url" "event_poll_interval" }}
{{- end }}
{{- toYaml $settings }}
{{- end }}

{{/* The files of a folder of the chart: (list . pattern). A packager that drops them must not go unnoticed. */}}
{{- define "braket-exporter.checkFiles" -}}
{{- if not ((index . 0).Files.Glob (index . 1)) }}
{{- fail (printf "the chart has no files %s; its package is incomplete" (index . 1)) }}
{{- end }}
{{- end }}

{{/* The name of a dashboard's objects: (list . path). */}}
{{- define "braket-exporter.dashboardName" -}}
{{- include "braket-exporter.suffixed" (list (index . 0) (base (index . 1) | trimSuffix ".json" | trimPrefix "braket-" | printf "dashboard-%s")) }}
{{- end }}

{{/* The labels of the pod of `helm test`; they must not match the selector labels. */}}
{{- define "braket-exporter.testLabels" -}}
app.kubernetes.io/name: {{ include "braket-exporter.name" . | trunc 58 | trimSuffix "-" }}-test
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}
