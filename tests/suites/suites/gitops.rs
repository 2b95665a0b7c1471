//! What GitOps tools make of tenants: Flux's real kustomize-controller, kstatus, Argo CD's health check.
