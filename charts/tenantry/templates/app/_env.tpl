{{/* Every flag of the app that has a value, by its environment name. `migrate` needs the first part only. */}}
{{- define "tenantry.app.databaseEnv" -}}
{{- with .Values.app.database }}
{{ include "tenantry.envFromSecret" (dict "name" "DATABASE_URL" "secret" .existingSecret "key" .key) }}
- name: DATABASE_CONNECTIONS
  value: {{ include "tenantry.number" .connections | quote }}
{{- end }}
{{- end -}}

{{- define "tenantry.app.env" -}}
{{ include "tenantry.app.databaseEnv" . }}
{{ include "tenantry.app.tenantEnv" . }}
{{ include "tenantry.app.signInEnv" . }}
{{ include "tenantry.app.documentEnv" . }}
{{ include "tenantry.app.modelEnv" . }}
- name: TENANTRY_APP_LISTEN
  value: 0.0.0.0:8090
- name: TENANTRY_APP_ADMIN_LISTEN
  value: 0.0.0.0:8091
- name: DRAIN_SECONDS
  value: {{ include "tenantry.number" .Values.app.drainSeconds | quote }}
- name: TENANTRY_LOG_FORMAT
  value: {{ .Values.app.log.format | quote }}
- name: TENANTRY_LOG_FILTER
  value: {{ .Values.app.log.filter | quote }}
{{- end -}}

{{- define "tenantry.app.tenantEnv" -}}
- name: TENANTRY_APP_NAMESPACE
  value: {{ .Values.app.tenantsNamespace | quote }}
{{- if include "tenantry.hasCa" . }}
- name: TENANT_DB_CA_FILE
  value: /etc/tenantry/tenant-db-ca/ca.crt
{{- end }}
{{- with .Values.app.tenants }}
- name: TENANT_REGION
  value: {{ .region | quote }}
- name: TENANT_MIN_CU
  value: {{ .minCu | quote }}
- name: TENANT_MAX_CU
  value: {{ .maxCu | quote }}
- name: TENANT_POOLS
  value: {{ include "tenantry.number" .pools | quote }}
- name: TENANT_CONNECTIONS
  value: {{ include "tenantry.number" .connections | quote }}
- name: TENANT_IDLE_SECONDS
  value: {{ include "tenantry.number" .idleSeconds | quote }}
- name: TENANT_CONNECT_SECONDS
  value: {{ include "tenantry.number" .connectSeconds | quote }}
{{- end }}
{{- end -}}

{{- define "tenantry.app.signInEnv" -}}
- name: PUBLIC_URL
  value: {{ .Values.app.publicUrl | quote }}
{{- with .Values.app.oidc }}
- name: OIDC_ISSUER
  value: {{ .issuer | quote }}
- name: OIDC_CLIENT_ID
  value: {{ .clientId | quote }}
- name: OIDC_NAME
  value: {{ .name | quote }}
{{- if .existingSecret }}
{{ include "tenantry.envFromSecret" (dict "name" "OIDC_CLIENT_SECRET" "secret" .existingSecret "key" .key) }}
{{- end }}
{{- end }}
{{- with .Values.app.sessions }}
- name: SESSION_IDLE_HOURS
  value: {{ include "tenantry.number" .idleHours | quote }}
- name: SESSION_HOURS
  value: {{ include "tenantry.number" .hours | quote }}
{{- end }}
{{- with .Values.app.trustedProxies }}
- name: TRUSTED_PROXIES
  value: {{ join "," . | quote }}
{{- end }}
- name: REQUESTS_PER_MINUTE
  value: {{ include "tenantry.number" .Values.app.limits.requestsPerMinute | quote }}
{{- end -}}

{{- define "tenantry.app.documentEnv" -}}
{{- with .Values.app.files.s3 }}
- name: FILES
  value: {{ default "/var/lib/tenantry/files" .url | quote }}
{{- if .url }}
{{- with .endpoint }}
- name: S3_ENDPOINT
  value: {{ . | quote }}
{{- end }}
- name: S3_REGION
  value: {{ .region | quote }}
{{- if .existingSecret }}
{{ include "tenantry.envFromSecret" (dict "name" "S3_ACCESS_KEY_ID" "secret" .existingSecret "key" .accessKeyIdKey) }}
{{ include "tenantry.envFromSecret" (dict "name" "S3_SECRET_ACCESS_KEY" "secret" .existingSecret "key" .secretAccessKeyKey) }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.app.limits }}
- name: MAX_DOCUMENTS
  value: {{ include "tenantry.number" .documents | quote }}
- name: MAX_MEGABYTES
  value: {{ include "tenantry.number" .megabytes | quote }}
- name: MAX_PAGES
  value: {{ include "tenantry.number" .pages | quote }}
{{- end }}
{{- with .Values.app.ingest }}
- name: INGEST_WORKERS
  value: {{ include "tenantry.number" .workers | quote }}
- name: EXTRACT_MEGABYTES
  value: {{ include "tenantry.number" .extractMegabytes | quote }}
- name: EXTRACT_SECONDS
  value: {{ include "tenantry.number" .extractSeconds | quote }}
{{- end }}
{{- end -}}

{{- define "tenantry.app.modelEnv" -}}
{{- with .Values.app.embedding }}
- name: EMBEDDING_URL
  value: {{ .url | quote }}
- name: EMBEDDING_MODEL
  value: {{ .model | quote }}
- name: EMBEDDING_DIMENSIONS
  value: {{ include "tenantry.number" .dimensions | quote }}
- name: EMBEDDING_BATCH
  value: {{ include "tenantry.number" .batch | quote }}
- name: EMBEDDING_CONCURRENCY
  value: {{ include "tenantry.number" .concurrency | quote }}
- name: EMBEDDING_SECONDS
  value: {{ include "tenantry.number" .timeoutSeconds | quote }}
{{- if .existingSecret }}
{{ include "tenantry.envFromSecret" (dict "name" "EMBEDDING_KEY" "secret" .existingSecret "key" .key) }}
{{- end }}
{{- end }}
{{- with .Values.app.chat }}
- name: RELEVANCE_FLOOR
  value: {{ include "tenantry.number" .relevanceFloor | quote }}
{{- if .url }}
- name: CHAT_URL
  value: {{ .url | quote }}
- name: CHAT_MODEL
  value: {{ .model | quote }}
- name: CHAT_CONTEXT_TOKENS
  value: {{ include "tenantry.number" .contextTokens | quote }}
- name: CHAT_ANSWER_TOKENS
  value: {{ include "tenantry.number" .answerTokens | quote }}
- name: CHAT_SECONDS
  value: {{ include "tenantry.number" .timeoutSeconds | quote }}
- name: CHAT_CONCURRENCY
  value: {{ include "tenantry.number" .concurrency | quote }}
{{- if .existingSecret }}
{{ include "tenantry.envFromSecret" (dict "name" "CHAT_KEY" "secret" .existingSecret "key" .key) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The Secrets that the app reads: each with its keys and what belongs into them. */}}
{{- define "tenantry.app.secrets" -}}
{{- $secrets := dict -}}
{{- with .Values.app -}}
{{- $all := list (list .database.existingSecret .database.key "postgresql://USER:PASSWORD@HOST/DATABASE") -}}
{{- $all = append $all (list .oidc.existingSecret .oidc.key "YOUR_CLIENT_SECRET") -}}
{{- $all = append $all (list .embedding.existingSecret .embedding.key "YOUR_EMBEDDING_KEY") -}}
{{- if .chat.url }}{{ $all = append $all (list .chat.existingSecret .chat.key "YOUR_CHAT_KEY") }}{{ end -}}
{{- if .files.s3.url -}}
{{- $all = append $all (list .files.s3.existingSecret .files.s3.accessKeyIdKey "YOUR_ACCESS_KEY_ID") -}}
{{- $all = append $all (list .files.s3.existingSecret .files.s3.secretAccessKeyKey "YOUR_SECRET_ACCESS_KEY") -}}
{{- end -}}
{{- range $all -}}
{{- $name := index . 0 -}}
{{- if $name }}{{ $_ := set $secrets $name (merge (default dict (get $secrets $name)) (dict (index . 1) (index . 2))) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toYaml $secrets -}}
{{- end -}}
