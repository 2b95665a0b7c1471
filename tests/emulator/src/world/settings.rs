//! What a test may switch while the emulator runs (`POST /_emulator/clock/settings`). In: a partial JSON object.
//! Out: [`Settings`]. Pure.

use serde::{Deserialize, Serialize};

/// What a deleted project looks like to `GET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Gone {
    /// 404.
    #[default]
    #[serde(rename = "404")]
    Status404,
    /// 410.
    #[serde(rename = "410")]
    Status410,
    /// 200 with `deleted_at` set.
    DeletedAt,
}

/// Whose key it is: it changes what `/users/me` and `/auth` answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyKind {
    /// A personal key.
    #[default]
    User,
    /// A key of the organization.
    Org,
}

/// All switches.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Settings {
    pub(crate) operation_millis: i64,
    pub(crate) cold_start_millis: i64,
    /// Suspends every endpoint after this much idle time, whatever its own timeout says (never wins over -1).
    pub(crate) suspend_after_millis: Option<i64>,
    pub(crate) gone: Gone,
    /// Deleted projects keep their data, are listed by `recoverable=true` and can be recovered.
    pub(crate) soft_delete: bool,
    pub(crate) key_kind: KeyKind,
    pub(crate) org_id: Option<String>,
    /// A create without `org_id` is refused with 400, as for personal keys on Neon today.
    pub(crate) require_org: bool,
    /// Creates beyond this number are refused with 422.
    pub(crate) projects_limit: Option<usize>,
    /// New projects appear in lists only after this time.
    pub(crate) list_lag_millis: i64,
    /// DELETE of a project answers 423 while its operations run (Neon's harness has seen both).
    pub(crate) delete_conflicts: bool,
    /// Connection URIs end in `&channel_binding=require`, as newer ones of Neon's do (the recorded ones do not).
    pub(crate) channel_binding: bool,
    /// Calls a minute before 429 (Neon: 700); 0: no limit.
    pub(crate) rate_per_minute: u32,
    /// Calls a second and route before 429 (Neon: 40); 0: no limit.
    pub(crate) burst_per_route: u32,
    /// Sent with those 429s when set.
    pub(crate) retry_after: Option<String>,
}

/// A change of some switches; what is absent stays.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsPatch {
    operation_millis: Option<i64>,
    cold_start_millis: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    suspend_after_millis: Option<Option<i64>>,
    gone: Option<Gone>,
    soft_delete: Option<bool>,
    key_kind: Option<KeyKind>,
    #[serde(default, deserialize_with = "present")]
    org_id: Option<Option<String>>,
    require_org: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    projects_limit: Option<Option<usize>>,
    list_lag_millis: Option<i64>,
    delete_conflicts: Option<bool>,
    channel_binding: Option<bool>,
    rate_per_minute: Option<u32>,
    burst_per_route: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    retry_after: Option<Option<String>>,
}

/// Tells an absent field from an explicit `null`, which switches the setting off.
fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl Settings {
    pub(crate) fn patch(&mut self, patch: SettingsPatch) {
        macro_rules! set {
            ($($field:ident),*) => { $( if let Some(value) = patch.$field { self.$field = value; } )* };
        }
        set!(
            operation_millis,
            cold_start_millis,
            suspend_after_millis,
            gone,
            soft_delete,
            key_kind,
            org_id
        );
        set!(require_org, projects_limit, list_lag_millis, delete_conflicts, channel_binding);
        set!(rate_per_minute, burst_per_route, retry_after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_null_switches_off() {
        let mut settings =
            Settings { projects_limit: Some(3), operation_millis: 7, ..Settings::default() };
        settings.patch(serde_json::from_str(r#"{"gone":"410","projects_limit":null}"#).unwrap());
        assert_eq!((settings.gone, settings.projects_limit), (Gone::Status410, None));
        assert_eq!(settings.operation_millis, 7);
        assert!(serde_json::from_str::<SettingsPatch>(r#"{"nonsense":1}"#).is_err());
    }
}
