//! The targets, and whether they are met. In: [`Results`]. Out: one [`Line`] per thing that is asked. Pure.
//!
//! A target on a ratio compares with the floor of the same repetition; what is judged is the median over the repetitions.

use serde::Serialize;

use crate::machine::Used;
use crate::results::{Many, Repetition, Results};
use crate::stats::{Spread, percentile};

/// One tenant takes at most so many times its floor.
const ONE_AT_MOST: f64 = 1.6;
/// Many at once come at least at this share of the floor's rate.
const MANY_AT_LEAST: f64 = 0.7;
/// The operator's memory with 200 tenants, in MB.
const MEMORY_BELOW: f64 = 40.0;
/// Tenants per second of a general Postgres operator for Kubernetes (movetokube/postgres-operator 2.4.0), measured on two
/// processors on the same kind of control plane: 200 databases and their users applied together, without any schema.
const PEER_OPERATOR: f64 = 7.2;
/// Tenants per second of Neon's own example of a database per tenant (neondatabase/db-per-tenant), measured on two
/// processors against a local server: ten sign-ups at once.
const PEER_EXAMPLE: f64 = 11.5;

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    RatioAtMost(f64),
    RatioAtLeast(f64),
    Above(f64),
    Below(f64),
}

impl Target {
    fn met(self, measured: f64, ratio: Option<f64>) -> bool {
        match self {
            Self::RatioAtMost(limit) => ratio.is_some_and(|ratio| ratio <= limit),
            Self::RatioAtLeast(limit) => ratio.is_some_and(|ratio| ratio >= limit),
            Self::Above(limit) => measured > limit,
            Self::Below(limit) => measured < limit,
        }
    }
}

/// One thing that is asked, with its answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) target: Option<Target>,
    pub(crate) measured: Spread,
    pub(crate) floor: Option<Spread>,
    pub(crate) ratio: Option<Spread>,
    pub(crate) met: Option<bool>,
}

/// A figure of one repetition: what was measured, and the same of the floor where there is one.
pub(crate) type Figure = (f64, Option<f64>);

impl Line {
    /// `None` where nothing was measured.
    pub(crate) fn of(
        (what, unit): (&str, &'static str),
        target: Option<Target>,
        figures: &[Figure],
    ) -> Option<Self> {
        let measured = Spread::of(figures.iter().map(|(measured, _)| *measured))?;
        let floor = Spread::of(figures.iter().filter_map(|(_, floor)| *floor));
        let ratio =
            Spread::of(figures.iter().filter_map(|(measured, floor)| Some(measured / (*floor)?)));
        let met = target.map(|target| target.met(measured.median, ratio.map(|ratio| ratio.median)));
        Some(Self { what: what.to_owned(), unit, target, measured, floor, ratio, met })
    }
}

fn line(
    results: &Results,
    name: (&str, &'static str),
    target: Option<Target>,
    figure: impl Fn(&Repetition) -> Figure,
) -> Option<Line> {
    let figures: Vec<Figure> = results.repetitions.iter().map(figure).collect();
    Line::of(name, target, &figures)
}

/// Every line of the table.
pub(crate) fn lines(results: &Results) -> Vec<Line> {
    let ms = |share: f64| {
        move |r: &Repetition| {
            let floor = percentile(&r.one.floor_seconds(), share) * 1e3;
            (percentile(&r.one.seconds, share) * 1e3, Some(floor))
        }
    };
    let rates = |many: &Many| (many.rate(), Some(many.floor_rate()));
    let count = results.setting.tenants;
    let per_second = "tenants/s";
    let all = [
        line(
            results,
            ("one tenant, apply to Ready, p50", "ms"),
            Some(Target::RatioAtMost(ONE_AT_MOST)),
            ms(0.5),
        ),
        line(results, ("one tenant, apply to Ready, p95", "ms"), None, ms(0.95)),
        line(
            results,
            (&format!("{count} applied at once"), per_second),
            Some(Target::RatioAtLeast(MANY_AT_LEAST)),
            |r| rates(&r.applied),
        ),
        line(
            results,
            ("  above a Postgres operator", per_second),
            Some(Target::Above(PEER_OPERATOR)),
            |r| (r.applied.rate(), None),
        ),
        line(
            results,
            ("  above Neon's example", per_second),
            Some(Target::Above(PEER_EXAMPLE)),
            |r| (r.applied.rate(), None),
        ),
        // Hardly moved by what else the machine does, so it compares where rates cannot.
        line(results, ("  processor time per tenant", "ms"), None, |r| {
            let each = |used: &Used| used.ours() * 1e3 / r.applied.tenants.max(1) as f64;
            (each(&r.applied.used), Some(each(&r.applied.floor_used)))
        }),
        line(results, (&format!("{count} deleted at once"), per_second), None, |r| {
            rates(&r.deleted)
        }),
        line(
            results,
            (&format!("operator's memory with {count} tenants"), "MB"),
            Some(Target::Below(MEMORY_BELOW)),
            |r| (r.memory.now_mb, None),
        ),
        line(results, ("  at its most so far", "MB"), Some(Target::Below(MEMORY_BELOW)), |r| {
            (r.memory.peak_mb, None)
        }),
    ];
    all.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_met_at_their_limits_and_missed_beyond() {
        assert!(Target::RatioAtMost(1.6).met(99.0, Some(1.6)));
        assert!(!Target::RatioAtMost(1.6).met(1.0, Some(1.61)));
        assert!(!Target::RatioAtLeast(0.7).met(99.0, Some(0.69)));
        assert!(!Target::RatioAtLeast(0.7).met(99.0, None));
        assert!(Target::Above(7.2).met(7.3, None) && !Target::Above(7.2).met(7.2, None));
        assert!(Target::Below(40.0).met(39.9, None) && !Target::Below(40.0).met(40.0, None));
    }
}
