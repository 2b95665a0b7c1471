{{/* What one value means for another: the schema judges each by itself. Every message names the value and the remedy. */}}
{{- define "tenantry.validate" -}}
{{- $v := .Values -}}
{{- if not (or $v.operator.enabled $v.app.enabled) -}}
{{- fail "operator.enabled and app.enabled are both false: nothing would run; set one to true" -}}
{{- end -}}
{{- if and $v.tenantDatabases.ca.existingSecret $v.tenantDatabases.ca.existingConfigMap -}}
{{- fail "tenantDatabases.ca: existingSecret and existingConfigMap exclude each other; name one" -}}
{{- end -}}
{{- range $name := list "operator" "app" -}}
{{- $account := (get $v $name).serviceAccount -}}
{{- if and (get $v $name).enabled (not $account.create) (has $account.name (list "" "default")) -}}
{{- fail (printf "%s.serviceAccount.create is false: name an account of its own in %s.serviceAccount.name; every pod of the namespace may use the account default" $name $name) -}}
{{- end -}}
{{- end -}}
{{- if and $v.operator.enabled $v.app.enabled -}}
{{- $operator := include "tenantry.serviceAccountName" (dict "root" . "component" "operator" "values" $v.operator) -}}
{{- $app := include "tenantry.serviceAccountName" (dict "root" . "component" "app" "values" $v.app) -}}
{{- if eq $operator $app -}}
{{- fail (printf "operator.serviceAccount.name and app.serviceAccount.name are both %s: each would have the rights of both; name two accounts" $app) -}}
{{- end -}}
{{- end -}}
{{- if $v.operator.enabled }}{{ include "tenantry.validateOperator" . }}{{ end -}}
{{- if $v.app.enabled }}{{ include "tenantry.validateApp" . }}{{ end -}}
{{- end -}}

{{- define "tenantry.validateOperator" -}}
{{- $v := .Values -}}
{{- if not $v.neon.apiKey.existingSecret -}}
{{- fail "neon.apiKey.existingSecret is required: make a Secret with the Neon API key and name it, for example --set neon.apiKey.existingSecret=neon" -}}
{{- end -}}
{{- if le (float64 $v.neon.createGraceSeconds) (float64 $v.neon.timeoutSeconds) -}}
{{- fail "neon.createGraceSeconds must be greater than neon.timeoutSeconds: a creation must not be repeated while its request may still arrive" -}}
{{- end -}}
{{- if and (gt (int $v.operator.replicas) 1) (not $v.operator.leaderElection.enabled) -}}
{{- fail "operator.replicas is greater than 1: set operator.leaderElection.enabled=true, or operator.replicas=1" -}}
{{- end -}}
{{- if and $v.app.enabled $v.operator.namespaces (not (has $v.app.tenantsNamespace $v.operator.namespaces)) -}}
{{- fail (printf "operator.namespaces does not hold app.tenantsNamespace (%s): nobody would serve the app's tenants; add it" $v.app.tenantsNamespace) -}}
{{- end -}}
{{- end -}}

{{- define "tenantry.validateApp" -}}
{{- $app := .Values.app -}}
{{- $need := dict "app.publicUrl" $app.publicUrl "app.database.existingSecret" $app.database.existingSecret "app.oidc.issuer" $app.oidc.issuer "app.oidc.clientId" $app.oidc.clientId -}}
{{- range $name, $value := $need -}}
{{- if not $value }}{{ fail (printf "%s is required with app.enabled=true" $name) }}{{ end -}}
{{- end -}}
{{- if ne (empty $app.chat.url) (empty $app.chat.model) -}}
{{- fail "app.chat.url and app.chat.model go together: set both, or neither" -}}
{{- end -}}
{{- if eq $app.tenantsNamespace .Release.Namespace -}}
{{- fail (printf "app.tenantsNamespace is the release's own namespace (%s): the app would be allowed to read every Secret in it, the Neon key too; name another" .Release.Namespace) -}}
{{- end -}}
{{- if lt (int $app.terminationGracePeriodSeconds) (add (int $app.drainSeconds) 45 | int) -}}
{{- fail "app.terminationGracePeriodSeconds must be at least app.drainSeconds + 45: requests and answers in hand are given up to 40 seconds" -}}
{{- end -}}
{{- $several := or $app.autoscaling.enabled (gt (int $app.replicas) 1) -}}
{{- if and $several (not $app.files.s3.url) (not (has "ReadWriteMany" $app.files.persistence.accessModes)) -}}
{{- fail "app.replicas is greater than 1 (or app.autoscaling.enabled): several pods need one file store; set app.files.s3.url, or app.files.persistence.accessModes to [ReadWriteMany]" -}}
{{- end -}}
{{- if and $app.autoscaling.enabled (lt (int $app.autoscaling.maxReplicas) (int $app.autoscaling.minReplicas)) -}}
{{- fail "app.autoscaling.maxReplicas must not be less than app.autoscaling.minReplicas" -}}
{{- end -}}
{{- if gt (int $app.sessions.idleHours) (int $app.sessions.hours) -}}
{{- fail "app.sessions.idleHours must not be greater than app.sessions.hours" -}}
{{- end -}}
{{- end -}}
