{{/* Names and labels. A helper about one component takes a dict: root (the chart's scope), component, and values (its own). */}}

{{- define "tenantry.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "tenantry.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tenantry.componentName" -}}
{{- printf "%s-%s" (include "tenantry.fullname" .root) .component -}}
{{- end -}}

{{- define "tenantry.labels" -}}
{{ include "tenantry.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: tenantry
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tenantry.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tenantry.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "tenantry.serviceAccountName" -}}
{{- if .values.serviceAccount.create -}}
{{- default (include "tenantry.componentName" .) .values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "tenantry.leaseName" -}}
{{- default (include "tenantry.componentName" (dict "root" . "component" "operator")) .Values.operator.leaderElection.leaseName -}}
{{- end -}}

{{- define "tenantry.image" -}}
{{- $image := .values.image -}}
{{- $registry := default $image.registry .root.Values.global.imageRegistry -}}
{{- $name := ternary (printf "%s/%s" $registry $image.repository) $image.repository (ne $registry "") -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* A number as a program reads it: 1000000 and not 1e+06. */}}
{{- define "tenantry.number" -}}
{{- if eq (float64 .) (floor .) -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- end -}}

{{/* Environment: what the chart sets, but for names that extraEnv sets, then extraEnv. A name twice would be refused by the API server. */}}
{{- define "tenantry.env" -}}
{{- $taken := dict -}}
{{- range .extra }}{{ $_ := set $taken .name true }}{{ end -}}
{{- $all := list -}}
{{- range fromYamlArray .named -}}
{{- if not (hasKey $taken .name) }}{{ $all = append $all . }}{{ end -}}
{{- end -}}
{{- range .extra }}{{ $all = append $all . }}{{ end -}}
{{- toYaml $all -}}
{{- end -}}

{{/* One variable from a Secret. */}}
{{- define "tenantry.envFromSecret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end -}}

{{/* What pods of both components have in common. */}}
{{- define "tenantry.podSpec" -}}
serviceAccountName: {{ include "tenantry.serviceAccountName" . }}
automountServiceAccountToken: true
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .values.topologySpreadConstraints }}
{{- $selector := dict "labelSelector" (dict "matchLabels" (include "tenantry.selectorLabels" . | fromYaml)) "matchLabelKeys" (list "pod-template-hash") }}
topologySpreadConstraints:
  {{- range .values.topologySpreadConstraints }}
  {{- toYaml (list (ternary . (merge (dict) . $selector) (hasKey . "labelSelector"))) | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Without the chart's version, so that a chart that changes no pod restarts none. */}}
{{- define "tenantry.podLabels" -}}
{{ include "tenantry.selectorLabels" . }}
app.kubernetes.io/part-of: tenantry
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- with .values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tenantry.probe" -}}
{{- toYaml (merge (dict "httpGet" (dict "path" .path "port" "metrics")) .probe) -}}
{{- end -}}

{{/* How pods are replaced. Not Recreate: the API server keeps the fields of a rolling update that it has filled in, so that a change
between the two types is refused. */}}
{{- define "tenantry.replace" -}}
type: RollingUpdate
rollingUpdate:
  maxUnavailable: {{ ternary 1 0 .oldFirst }}
  maxSurge: {{ ternary 0 1 .oldFirst }}
{{- end -}}

{{/* Volume and mount of the certificate authority for tenant databases. */}}
{{- define "tenantry.hasCa" -}}
{{- if or .Values.tenantDatabases.ca.existingSecret .Values.tenantDatabases.ca.existingConfigMap }}true{{ end -}}
{{- end -}}

{{- define "tenantry.caVolume" -}}
- name: tenant-db-ca
  {{- with .Values.tenantDatabases.ca }}
  {{- if .existingSecret }}
  secret:
    secretName: {{ .existingSecret }}
    items: [{ key: {{ .key | quote }}, path: ca.crt }]
  {{- else }}
  configMap:
    name: {{ .existingConfigMap }}
    items: [{ key: {{ .key | quote }}, path: ca.crt }]
  {{- end }}
  {{- end }}
{{- end -}}

{{- define "tenantry.caMount" -}}
- name: tenant-db-ca
  mountPath: /etc/tenantry/tenant-db-ca
  readOnly: true
{{- end -}}

{{/* The port of a URL, where it names one. */}}
{{- define "tenantry.urlPort" -}}
{{- $host := (urlParse .).host -}}
{{- if regexMatch ":[0-9]+$" $host -}}{{- regexFind "[0-9]+$" $host -}}{{- else if hasPrefix "http://" . -}}80{{- end -}}
{{- end -}}

{{/* Egress rules: DNS, ports of the values and of the URLs (urls), further ones. */}}
{{- define "tenantry.egress" -}}
{{- $ports := list -}}
{{- range .egress.ports }}{{ $ports = append $ports (int .) }}{{ end -}}
{{- range .urls }}{{- $port := include "tenantry.urlPort" . -}}{{- if $port }}{{ $ports = append $ports (int $port) }}{{ end }}{{ end -}}
- ports:
    - { port: 53, protocol: UDP }
    - { port: 53, protocol: TCP }
- ports:
    {{- range $ports | uniq }}
    - { port: {{ . }}, protocol: TCP }
    {{- end }}
{{- with .egress.extra }}
{{ toYaml . }}
{{- end }}
{{- end -}}
