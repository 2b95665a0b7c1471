//! What Prometheus sees: the real server scrapes, the rules fire, the dashboard has data.
