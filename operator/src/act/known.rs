//! The object as this pass last read or wrote it.
//!
//! Two operators may serve one tenant for a while (an update of the operator, a mistake). What keeps them from asking for
//! two projects is the status: whoever writes it must know what it holds. Changes of anything else do not matter here.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crds::{VectorTenant, VectorTenantStatus};
use kube::ResourceExt;

use crate::error::Error;

/// Version and status that this pass knows.
#[derive(Debug)]
pub struct Known {
    newest: Mutex<(Option<String>, Option<VectorTenantStatus>)>,
    /// A write brought no answer: it may have been carried out.
    doubtful: AtomicBool,
}

impl Known {
    /// As it was read at the start.
    #[must_use]
    pub fn new(tenant: &VectorTenant) -> Self {
        let newest = Mutex::new((tenant.resource_version(), tenant.status.clone()));
        Self { newest, doubtful: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, (Option<String>, Option<VectorTenantStatus>)> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version that the next write of the status builds on.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        self.lock().0.clone()
    }

    /// The status that the object has, as far as this pass knows.
    #[must_use]
    pub fn status(&self) -> Option<VectorTenantStatus> {
        self.lock().1.clone()
    }

    /// Whether the object surely has this status already.
    #[must_use]
    pub fn shows(&self, status: &VectorTenantStatus) -> bool {
        !self.doubtful.load(Ordering::Relaxed) && self.lock().1.as_ref() == Some(status)
    }

    /// A write failed, and nobody knows whether it was carried out.
    pub fn doubt(&self) {
        self.doubtful.store(true, Ordering::Relaxed);
    }

    /// The object after a write of its status.
    pub fn wrote(&self, tenant: &VectorTenant) {
        *self.lock() = (tenant.resource_version(), tenant.status.clone());
        self.doubtful.store(false, Ordering::Relaxed);
    }

    /// The object as somebody left it who had no business with its status.
    ///
    /// # Errors
    /// When the status is not the known one.
    pub fn saw(&self, tenant: &VectorTenant) -> Result<(), Error> {
        let mut known = self.lock();
        if known.1 != tenant.status {
            return Err(Error::Overtaken);
        }
        known.0 = tenant.resource_version();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(version: &str, project: Option<&str>) -> VectorTenant {
        let mut tenant = VectorTenant::default();
        tenant.metadata.resource_version = Some(version.to_owned());
        let project_id = project.map(ToOwned::to_owned);
        tenant.status = Some(VectorTenantStatus { project_id, ..VectorTenantStatus::default() });
        tenant
    }

    #[test]
    fn only_a_foreign_status_stands_in_the_way() {
        let known = Known::new(&tenant("1", None));
        assert!(known.saw(&tenant("2", None)).is_ok());
        assert!(known.saw(&tenant("3", Some("theirs"))).is_err());
        assert_eq!(known.version().as_deref(), Some("2"));
        known.wrote(&tenant("4", Some("ours")));
        let ours = tenant("5", Some("ours"));
        assert!(known.saw(&ours).is_ok());
        assert_eq!(known.version().as_deref(), Some("5"));
        let status = ours.status.clone().unwrap_or_default();
        assert!(known.shows(&status));
        known.doubt();
        assert!(!known.shows(&status), "it is written again");
        known.wrote(&ours);
        assert!(known.shows(&status));
    }
}
