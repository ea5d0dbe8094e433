{{/* Reject invalid combinations. The chart cannot read Secrets and relies on webConfig for their content. */}}
{{- define "braket-exporter.checkWeb" -}}
{{- $web := .Values.webConfig }}
{{- $parts := dict "tls" $web.tls "certificateSecret" $web.certificateSecret "basicAuth.existingSecret" $web.basicAuth.existingSecret "clientCertificate.existingSecret" $web.clientCertificate.existingSecret }}
{{- range $part, $value := $parts }}
{{- if and $value (not $web.existingSecret) }}
{{- fail (printf "webConfig.%s goes with webConfig.existingSecret, the Secret with the web configuration file" $part) }}
{{- end }}
{{- if and $value (not $web.tls) (has $part (list "certificateSecret" "clientCertificate.existingSecret")) }}
{{- fail (printf "webConfig.%s goes with webConfig.tls: true" $part) }}
{{- end }}
{{- end }}
{{- range $monitor := list "serviceMonitor" "podMonitor" }}
{{- with get $.Values $monitor }}
{{- if and .tlsConfig (not $web.tls) }}
{{- fail (printf "%s.tlsConfig goes with webConfig.tls: true" $monitor) }}
{{- else if and .enabled $web.tls (not .tlsConfig) }}
{{- fail (printf "%s.tlsConfig: say how Prometheus is to verify the exporter's certificate: with ca and serverName, or not at all: insecureSkipVerify: true" $monitor) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "braket-exporter.scheme" -}}
{{- ternary "https" "http" .Values.webConfig.tls }}
{{- end }}

{{/* The volume of the web configuration file and the files that it names, in one directory for relative paths. */}}
{{- define "braket-exporter.webVolume" -}}
name: web
projected:
  defaultMode: 0440
  sources:
    - secret:
        name: {{ .Values.webConfig.existingSecret }}
    {{- with .Values.webConfig.certificateSecret }}
    - secret:
        name: {{ . }}
    {{- end }}
{{- end }}

{{/* Whether requests need a login or a client certificate, which HTTP probes of the kubelet do not support. */}}
{{- define "braket-exporter.guarded" -}}
{{- with .Values.webConfig }}
{{- if or .basicAuth.existingSecret .clientCertificate.existingSecret }}true{{ end }}
{{- end }}
{{- end }}

{{/* The volume with the login and the client certificate. */}}
{{- define "braket-exporter.clientVolume" -}}
name: client
projected:
  defaultMode: 0440
  sources:
    {{- with .Values.webConfig.basicAuth }}
    {{- if .existingSecret }}
    - secret:
        name: {{ .existingSecret }}
        items:
          - key: {{ .usernameKey }}
            path: username
          - key: {{ .passwordKey }}
            path: password
    {{- end }}
    {{- end }}
    {{- with .Values.webConfig.clientCertificate }}
    {{- if .existingSecret }}
    - secret:
        name: {{ .existingSecret }}
        items:
          - key: {{ .certificateKey }}
            path: tls.crt
          - key: {{ .keyKey }}
            path: tls.key
    {{- end }}
    {{- end }}
{{- end }}

{{/* The mount of that volume. */}}
{{- define "braket-exporter.clientMount" -}}
name: client
mountPath: /etc/braket-exporter-client
readOnly: true
{{- end }}

{{/* TLS and login of a monitor's endpoint: (list . values). */}}
{{- define "braket-exporter.webEndpoint" -}}
{{- with (index . 0).Values.webConfig }}
{{- $endpoint := dict }}
{{- if .tls }}
{{- $tls := deepCopy (index $ 1).tlsConfig }}
{{- if .clientCertificate.existingSecret }}
{{- $name := .clientCertificate.existingSecret }}
{{- $own := dict "cert" (dict "secret" (dict "name" $name "key" .clientCertificate.certificateKey)) "keySecret" (dict "name" $name "key" .clientCertificate.keyKey) }}
{{- if not (or $tls.cert $tls.keySecret $tls.certFile $tls.keyFile) }}
{{- $tls = merge $tls $own }}
{{- end }}
{{- end }}
{{- $_ := set $endpoint "scheme" "https" }}
{{- $_ := set $endpoint "tlsConfig" $tls }}
{{- end }}
{{- with .basicAuth }}
{{- if .existingSecret }}
{{- $_ := set $endpoint "basicAuth" (dict "username" (dict "name" .existingSecret "key" .usernameKey) "password" (dict "name" .existingSecret "key" .passwordKey)) }}
{{- end }}
{{- end }}
{{- with $endpoint }}
{{- toYaml . }}
{{- end }}
{{- end }}
{{- end }}
