//! Who the key belongs to, and the regions. In: the settings. Out: replies; reads only.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::{Shared, now};
use crate::reply::{ApiError, Reply, ok};
use crate::wire;
use crate::world::KeyKind;

const USER: &str = "92cdd2ee-a6d8-4647-868f-124531123b03";

fn only_for_users(app: &Shared) -> Result<(), ApiError> {
    match app.world().settings.key_kind {
        KeyKind::User => Ok(()),
        KeyKind::Org => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "this endpoint is not allowed for organization API keys",
        )),
    }
}

pub(crate) async fn me(State(app): State<Shared>) -> Reply {
    only_for_users(&app)?;
    let account = json!({ "email": "owner@example.com", "image": "", "login": "owner", "name": "Owner", "provider": "github" });
    ok(json!({
        "active_seconds_limit": 0,
        "billing_account": {
            "state": "active",
            "payment_source": { "type": "" },
            "subscription_type": "free_v2",
            "payment_method": "none",
            "quota_reset_at_last": wire::time(now()),
            "name": "Owner",
            "email": "owner@example.com",
            "address_city": "", "address_country": "", "address_line1": "", "address_line2": "",
            "address_postal_code": "", "address_state": "",
        },
        "auth_accounts": [account],
        "email": "owner@example.com",
        "id": USER,
        "image": "",
        "login": "owner",
        "name": "Owner",
        "last_name": "",
        "projects_limit": 1000,
        "branches_limit": 10,
        "max_autoscaling_limit": 2,
        "compute_seconds_limit": 0,
        "plan": "free_v2",
    }))
}

pub(crate) async fn organizations(State(app): State<Shared>) -> Reply {
    only_for_users(&app)?;
    let organizations: Value =
        app.world().settings.org_id.iter().map(|id| organization(id)).collect();
    ok(json!({ "organizations": organizations }))
}

fn organization(id: &str) -> Value {
    json!({
        "id": id,
        "name": "Emulated organization",
        "handle": id,
        "plan": "launch_v3",
        "created_at": "2025-01-01T00:00:00Z",
        "updated_at": "2025-01-01T00:00:00Z",
        "managed_by": "console",
    })
}

pub(crate) async fn auth(State(app): State<Shared>) -> Reply {
    let settings = app.world().settings.clone();
    let (account, method) = match settings.key_kind {
        KeyKind::User => (USER.to_owned(), "api_key_user"),
        KeyKind::Org => {
            (settings.org_id.unwrap_or_else(|| "org-emulated-00000000".to_owned()), "api_key_org")
        }
    };
    ok(json!({ "account_id": account, "auth_method": method }))
}

/// Id, name, whether it is the default, latitude and longitude, as Neon lists them.
const REGIONS: [(&str, &str, bool, &str, &str); 7] = [
    ("aws-us-east-1", "US East 1 (N. Virginia)", false, "38.13", "-78.45"),
    ("aws-us-east-2", "US East 2 (Ohio)", true, "39.96", "-83"),
    ("aws-us-west-2", "US West 2 (Oregon)", false, "46.15", "-123.88"),
    ("aws-eu-central-1", "Europe (Frankfurt)", false, "50.11", "8.68"),
    ("aws-ap-southeast-1", "Asia Pacific (Singapore)", false, "1.37", "103.8"),
    ("aws-ap-southeast-2", "Asia Pacific (Sydney)", false, "-33.86", "151.2"),
    ("azure-eastus2", "Azure East US 2 (Virginia)", false, "36.66", "-78.38"),
];

/// Whether Neon has a region of that id.
pub(crate) fn is_region(id: &str) -> bool {
    REGIONS.iter().any(|(known, ..)| *known == id)
}

pub(crate) async fn regions() -> Reply {
    let regions = REGIONS.iter().map(|(id, name, default, lat, long)| {
        json!({ "region_id": id, "name": name, "default": default, "geo_lat": lat, "geo_long": long })
    });
    ok(json!({ "regions": regions.collect::<Value>() }))
}
