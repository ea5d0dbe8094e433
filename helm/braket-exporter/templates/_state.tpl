{{/* Reject invalid combinations. */}}
{{- define "braket-exporter.checkState" -}}
{{- with .Values.state.persistentVolumeClaim }}
{{- if and .enabled (not $.Values.state.enabled) }}
{{- fail "state.persistentVolumeClaim.enabled goes with state.enabled: true" }}
{{- end }}
{{- if and .existingClaim (not .enabled) }}
{{- fail "state.persistentVolumeClaim.existingClaim goes with state.persistentVolumeClaim.enabled: true" }}
{{- end }}
{{- if and .existingClaim (gt (int $.Values.sharding.totalShards) 1) }}
{{- fail "state.persistentVolumeClaim.existingClaim is for one pod: with sharding.totalShards above 1 each pod has a file, and a claim, of its own" }}
{{- end }}
{{- end }}
{{- end }}

{{/* Whether the state file is on a persistent volume. */}}
{{- define "braket-exporter.persistent" -}}
{{- if and .Values.state.enabled .Values.state.persistentVolumeClaim.enabled }}true{{ end }}
{{- end }}

{{/* The name of the Deployment's claim. */}}
{{- define "braket-exporter.claimName" -}}
{{- default (include "braket-exporter.suffixed" (list . "state")) .Values.state.persistentVolumeClaim.existingClaim }}
{{- end }}

{{/* The spec of a claim. */}}
{{- define "braket-exporter.claimSpec" -}}
{{- with .Values.state.persistentVolumeClaim -}}
accessModes:
  {{- toYaml .accessModes | nindent 2 }}
{{- with .storageClassName }}
storageClassName: {{ . | quote }}
{{- end }}
resources:
  requests:
    storage: {{ .size | quote }}
{{- end }}
{{- end }}

{{/* The state volume, except with volumeClaimTemplates. */}}
{{- define "braket-exporter.stateVolume" -}}
name: state
{{- if include "braket-exporter.persistent" . }}
persistentVolumeClaim:
  claimName: {{ include "braket-exporter.claimName" . }}
{{- else }}
emptyDir:
  sizeLimit: {{ .Values.state.sizeLimit | quote }}
{{- end }}
{{- end }}
