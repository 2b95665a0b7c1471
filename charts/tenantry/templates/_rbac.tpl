{{/* What the operator may do where it serves tenants. It reads Secrets' metadata and writes its own; it makes no tenant. */}}
{{- define "tenantry.operator.rules" -}}
- apiGroups: [tenantry.dev]
  resources: [vectortenants]
  verbs: [get, list, watch, patch]
- apiGroups: [tenantry.dev]
  resources: [vectortenants/status]
  verbs: [update]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- define "tenantry.subject" -}}
- kind: ServiceAccount
  name: {{ include "tenantry.serviceAccountName" . | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
{{- end -}}
