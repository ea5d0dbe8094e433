{{/* A probe of a path: (list . values path). */}}
{{- define "braket-exporter.probe" -}}
{{- $root := index . 0 }}
{{- if include "braket-exporter.guarded" $root -}}
exec:
  command:
    - /opt/braket-exporter/bin/python
    - -I
    - -c
    - |
      import sys
      {{- $root.Files.Get "files/fetch.py" | trim | nindent 6 }}


      try:
          fetch(sys.argv[1], sys.argv[2], Path("/etc/braket-exporter-client"), float(sys.argv[3]))
      except (OSError, http.client.HTTPException) as error:
          sys.exit(f"{type(error).__name__}: {error}")
    - {{ include "braket-exporter.scheme" $root }}://localhost:{{ $root.Values.containerPort }}
    - {{ index . 2 }}
    - {{ default 1 (index . 1).timeoutSeconds | quote }}
{{- else -}}
httpGet:
  path: {{ index . 2 }}
  port: metrics
  {{- if $root.Values.webConfig.tls }}
  scheme: HTTPS
  {{- end }}
{{- end }}
{{ toYaml (omit (index . 1) "enabled") }}
{{- end }}

{{/* The pod template of the Deployment and the StatefulSet. */}}
{{- define "braket-exporter.podTemplate" -}}
metadata:
  labels:
    {{- $labels := include "braket-exporter.selectorLabels" . | fromYaml }}
    {{- toYaml (merge $labels (deepCopy .Values.podLabels) (deepCopy .Values.commonLabels)) | nindent 4 }}
  annotations:
    {{- $checksum := dict "checksum/config" (include "braket-exporter.restartSettings" . | sha256sum) }}
    {{- toYaml (merge $checksum (deepCopy .Values.podAnnotations)) | nindent 4 }}
spec:
  serviceAccountName: {{ include "braket-exporter.serviceAccountName" . }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automountServiceAccountToken }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with include "braket-exporter.imagePullSecrets" . }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .Values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: exporter
      image: {{ include "braket-exporter.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      {{- with .Values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.extraArgs }}
      args:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      env:
        - name: BRAKET_EXPORTER_CONFIG
          value: /etc/braket-exporter/exporter.yaml
        {{- if gt (int .Values.sharding.totalShards) 1 }}
        - name: BRAKET_EXPORTER_SHARD
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- end }}
        {{- if .Values.aws.credentialsSecret }}
        - name: AWS_SHARED_CREDENTIALS_FILE
          value: /etc/aws/credentials
        - name: AWS_CONFIG_FILE
          value: /etc/aws/config
        {{- end }}
        {{- range .Values.extraEnv }}
        - {{- include "braket-exporter.envEntry" . | nindent 10 }}
        {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: {{ .Values.containerPort }}
          protocol: TCP
      {{- if .Values.startupProbe.enabled }}
      startupProbe:
        {{- include "braket-exporter.probe" (list . .Values.startupProbe "/-/healthy") | nindent 8 }}
      {{- end }}
      {{- if .Values.livenessProbe.enabled }}
      livenessProbe:
        {{- include "braket-exporter.probe" (list . .Values.livenessProbe "/-/healthy") | nindent 8 }}
      {{- end }}
      {{- if .Values.readinessProbe.enabled }}
      readinessProbe:
        {{- include "braket-exporter.probe" (list . .Values.readinessProbe "/-/ready") | nindent 8 }}
      {{- end }}
      {{- range $key := list "resources" "lifecycle" }}
      {{- with get $.Values $key }}
      {{- toYaml (dict $key .) | nindent 6 }}
      {{- end }}
      {{- end }}
      volumeMounts:
        # A directory, because a subPath mount does not receive changes of the ConfigMap.
        - name: config
          mountPath: /etc/braket-exporter
          readOnly: true
        {{- if .Values.state.enabled }}
        - name: state
          mountPath: /var/lib/braket-exporter
        {{- end }}
        {{- if .Values.webConfig.existingSecret }}
        - name: web
          mountPath: /etc/braket-exporter-web
          readOnly: true
        {{- end }}
        {{- if include "braket-exporter.guarded" . }}
        - {{- include "braket-exporter.clientMount" . | nindent 10 }}
        {{- end }}
        {{- if .Values.aws.credentialsSecret }}
        - name: aws
          mountPath: /etc/aws
          readOnly: true
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "braket-exporter.fullname" . }}
    {{- $ofStatefulSet := and (include "braket-exporter.persistent" .) (gt (int .Values.sharding.totalShards) 1) }}
    {{- if and .Values.state.enabled (not $ofStatefulSet) }}
    - {{- include "braket-exporter.stateVolume" . | nindent 6 }}
    {{- end }}
    {{- if .Values.webConfig.existingSecret }}
    - {{- include "braket-exporter.webVolume" . | nindent 6 }}
    {{- end }}
    {{- if include "braket-exporter.guarded" . }}
    - {{- include "braket-exporter.clientVolume" . | nindent 6 }}
    {{- end }}
    {{- if .Values.aws.credentialsSecret }}
    - name: aws
      secret:
        secretName: {{ .Values.aws.credentialsSecret }}
        defaultMode: 0440
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" "dnsConfig" "hostAliases" }}
  {{- with get $.Values $key }}
  {{- toYaml (dict $key .) | nindent 2 }}
  {{- else }}
  {{- if and (eq $key "topologySpreadConstraints") (gt (int $.Values.sharding.totalShards) 1) }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "braket-exporter.selectorLabels" $ | nindent 10 }}
  {{- end }}
  {{- end }}
  {{- end }}
{{- end }}

{{/* An entry of extraEnv; Kubernetes requires a string as its value. */}}
{{- define "braket-exporter.envEntry" -}}
{{- $entry := deepCopy . }}
{{- if not (kindIs "invalid" .value) }}
{{- $_ := set $entry "value" (include "braket-exporter.text" .value) }}
{{- end }}
{{- toYaml $entry }}
{{- end }}
