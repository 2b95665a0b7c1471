//! The chart without pods: templates, values, rights, upgrades, on a real API server.
