//! The chart without pods: templates, values, rights, upgrades, on a real API server.
//!
//! [`lab`] is Helm and an API server of this suite's own, because a definition belongs to one release. [`files`] what needs no
//! cluster: lint, helm-unittest (which is Helm 3's engine), documentation, copies. [`values`] values that must be refused, [`flags`]
//! every flag of both programs, [`objects`] every object against the server and against [`schemas`] made from its own description,
//! [`rights`] what the accounts may do, [`lifecycle`] from install to uninstall, [`registry`] the chart as an OCI artifact.

mod files;
mod flags;
mod lab;
mod lifecycle;
mod objects;
mod registry;
mod rights;
mod schemas;
mod values;
