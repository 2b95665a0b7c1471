{{/* Every flag of the operator that has a value, by its environment name. */}}
{{- define "tenantry.operator.env" -}}
- name: NEON_API_URL
  value: {{ .Values.neon.apiUrl | quote }}
- name: NEON_API_KEY_FILE
  value: /etc/tenantry/neon/api-key
{{- with .Values.neon.orgId }}
- name: NEON_ORG_ID
  value: {{ . | quote }}
{{- end }}
- name: NEON_TIMEOUT_SECONDS
  value: {{ include "tenantry.number" .Values.neon.timeoutSeconds | quote }}
- name: CREATE_GRACE_SECONDS
  value: {{ include "tenantry.number" .Values.neon.createGraceSeconds | quote }}
- name: TENANT_DB_SSL_MODE
  value: {{ .Values.tenantDatabases.sslMode | quote }}
{{- if include "tenantry.hasCa" . }}
- name: TENANT_DB_CA_FILE
  value: /etc/tenantry/tenant-db-ca/ca.crt
{{- end }}
{{- if .Values.tenantDatabases.migrations.existingConfigMap }}
- name: TENANT_MIGRATIONS
  value: /etc/tenantry/tenant-migrations
{{- end }}
- name: TENANT_DB_CONNECT_SECONDS
  value: {{ include "tenantry.number" .Values.tenantDatabases.connectSeconds | quote }}
- name: MIGRATION_LOCK_SECONDS
  value: {{ include "tenantry.number" .Values.tenantDatabases.migrations.lockSeconds | quote }}
- name: MIGRATION_SECONDS
  value: {{ include "tenantry.number" .Values.tenantDatabases.migrations.seconds | quote }}
{{- with .Values.operator }}
{{- with .namespaces }}
- name: TENANTRY_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- with .clusterId }}
- name: TENANTRY_CLUSTER_ID
  value: {{ . | quote }}
{{- end }}
- name: TENANTRY_CONCURRENCY
  value: {{ include "tenantry.number" .concurrency | quote }}
- name: TENANTRY_RESYNC_SECONDS
  value: {{ include "tenantry.number" .resyncSeconds | quote }}
- name: TENANTRY_LEADER_ELECTION
  value: {{ .leaderElection.enabled | quote }}
{{- if .leaderElection.enabled }}
- name: TENANTRY_LEASE_NAME
  value: {{ include "tenantry.leaseName" $ | quote }}
- name: TENANTRY_LEASE_NAMESPACE
  value: {{ $.Release.Namespace | quote }}
- name: TENANTRY_LEASE_SECONDS
  value: {{ include "tenantry.number" .leaderElection.leaseSeconds | quote }}
{{- end }}
- name: TENANTRY_LISTEN
  value: 0.0.0.0:8080
- name: TENANTRY_LOG_FORMAT
  value: {{ .log.format | quote }}
- name: TENANTRY_LOG_FILTER
  value: {{ .log.filter | quote }}
{{- end }}
{{- end -}}
