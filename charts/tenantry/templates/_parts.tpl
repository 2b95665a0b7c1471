{{/* Objects that operator and app have alike: account, disruption budget, monitor. */}}

{{- define "tenantry.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "tenantry.serviceAccountName" . | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "tenantry.labels" . | nindent 4 }}
  {{- with .values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
# Only the pods that say so get a token.
automountServiceAccountToken: false
{{- end -}}

{{- define "tenantry.podDisruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "tenantry.componentName" . }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "tenantry.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .values.podDisruptionBudget.maxUnavailable }}
  # A pod that is not ready does not keep a node from being drained.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "tenantry.selectorLabels" . | nindent 6 }}
{{- end -}}

{{- define "tenantry.serviceMonitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "tenantry.componentName" . }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "tenantry.labels" (merge (dict "more" .root.Values.monitoring.serviceMonitor.labels) .) | nindent 4 }}
spec:
  selector:
    matchLabels:
      {{- include "tenantry.selectorLabels" . | nindent 6 }}
  namespaceSelector:
    matchNames: [{{ .root.Release.Namespace | quote }}]
  endpoints:
    - port: metrics
      interval: {{ .root.Values.monitoring.serviceMonitor.interval }}
      scrapeTimeout: {{ .root.Values.monitoring.serviceMonitor.scrapeTimeout }}
{{- end -}}

{{- define "tenantry.metricsService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "tenantry.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  selector:
    {{- include "tenantry.selectorLabels" . | nindent 4 }}
  ports:
    - name: metrics
      port: {{ .port }}
      targetPort: metrics
{{- end -}}
