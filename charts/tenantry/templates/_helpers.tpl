{{/* Names and labels; where somebody's label has the name of one of the chart's own, the chart's stays (more: labels of one object). A helper about one component takes a dict: root (the chart's scope), component, and values (its own). */}}

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
{{- $own := include "tenantry.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "tenantry" -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- toYaml (merge $own (default dict .more) (default dict .root.Values.commonLabels)) -}}
{{- end -}}

{{/* Annotations of what outlives the release, by each tool that could remove it; options for Argo CD that somebody gives are added. */}}
{{- define "tenantry.kept" -}}
{{- $sync := "argocd.argoproj.io/sync-options" -}}
{{- $own := dict "helm.sh/resource-policy" "keep" "kustomize.toolkit.fluxcd.io/prune" "disabled" -}}
{{- $_ := set $own $sync (list "Prune=false" "Delete=false" (get (default dict .) $sync) | compact | join ",") -}}
{{- toYaml (merge $own (default dict .)) -}}
{{- end -}}

{{- define "tenantry.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tenantry.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "tenantry.serviceAccountName" -}}
{{- if .values.serviceAccount.create -}}
{{- default (include "tenantry.componentName" .) .values.serviceAccount.name -}}
{{- else -}}
{{- .values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Of an object that belongs to no namespace: two releases of one name in two namespaces must not share it. */}}
{{- define "tenantry.clusterName" -}}
{{- printf "%s-%s" .root.Release.Namespace (include "tenantry.componentName" .) -}}
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
      name: {{ .secret | quote }}
      key: {{ .key | quote }}
{{- end -}}

{{/* What pods of both components have in common. */}}
{{- define "tenantry.podSpec" -}}
serviceAccountName: {{ include "tenantry.serviceAccountName" . | quote }}
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
priorityClassName: {{ . | quote }}
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
{{- $own := include "tenantry.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "tenantry" -}}
{{- toYaml (merge $own (default dict .values.podLabels) (default dict .root.Values.commonLabels)) -}}
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
    secretName: {{ .existingSecret | quote }}
    items: [{ key: {{ .key | quote }}, path: ca.crt }]
  {{- else }}
  configMap:
    name: {{ .existingConfigMap | quote }}
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
    # Where the cluster's DNS listens on OpenShift: policies see the port of the pod, not that of its Service.
    - { port: 5353, protocol: UDP }
    - { port: 5353, protocol: TCP }
- ports:
    {{- range $ports | uniq }}
    - { port: {{ . }}, protocol: TCP }
    {{- end }}
{{- with .egress.extra }}
{{ toYaml . }}
{{- end }}
{{- end -}}
