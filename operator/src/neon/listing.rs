//! Finding projects by name.
//!
//! In: an exact name. Out: every project of that name, over all pages, and whether Neon could show all. It must
//! not take a partial listing for proof of absence, a deleted project for a live one, or a name that merely
//! contains ours for ours.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Client, Error, ProjectSummary, RecoverableProject,
    paging::{Next, Pager, Pagination},
    route::LIST_PROJECTS,
};

/// Most that Neon puts on one page of projects.
const PAGE: usize = 400;

/// What a look for a name found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The live projects of exactly that name.
    pub projects: Vec<ProjectSummary>,
    /// Whether Neon could show all that there is: if not, absence proves nothing.
    pub complete: bool,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    name: String,
    region_id: String,
    pg_version: i32,
    created_at: Timestamp,
    #[serde(default)]
    deleted_at: Option<Timestamp>,
    #[serde(default)]
    recoverable_until: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ListPage {
    projects: Vec<Listed>,
    #[serde(default)]
    unavailable_project_ids: Option<Vec<String>>,
    #[serde(default)]
    pagination: Option<Pagination>,
}

impl Client {
    /// Looks for live projects of exactly this name, over all pages.
    ///
    /// # Errors
    /// Where a page cannot be had.
    pub async fn find_projects(&self, name: &str) -> Result<Search, Error> {
        let (listed, complete) = self.list_projects(name, false).await?;
        let projects = listed
            .into_iter()
            .filter(|listed| listed.deleted_at.is_none())
            .map(
                |Listed {
                     id,
                     name,
                     region_id,
                     pg_version,
                     created_at,
                     deleted_at: _,
                     recoverable_until: _,
                 }| {
                    ProjectSummary { id, name, created_at, region_id, pg_version }
                },
            )
            .collect();
        Ok(Search { projects, complete })
    }

    /// Looks for deleted projects of exactly this name that could still be recovered.
    ///
    /// # Errors
    /// Where a page cannot be had.
    pub async fn recoverable(&self, name: &str) -> Result<Vec<RecoverableProject>, Error> {
        let (listed, _) = self.list_projects(name, true).await?;
        Ok(listed
            .into_iter()
            .filter_map(|Listed { id, name, deleted_at, recoverable_until, .. }| {
                Some(RecoverableProject { id, name, deleted_at: deleted_at?, recoverable_until })
            })
            .collect())
    }

    /// All listed projects of this name, and whether the listing is whole. Neon searches for a part of the
    /// name or the id, and a page may show a project twice when others come and go meanwhile.
    async fn list_projects(
        &self,
        name: &str,
        recoverable: bool,
    ) -> Result<(Vec<Listed>, bool), Error> {
        let (mut found, mut ids, mut complete) = (Vec::new(), BTreeSet::new(), true);
        let (mut pager, mut cursor) = (Pager::new(PAGE), None::<String>);
        loop {
            let mut request = self
                .request(LIST_PROJECTS, &[])?
                .query("search", name)
                .query("limit", &PAGE.to_string());
            if recoverable {
                request = request.query("recoverable", "true");
            }
            if let Some(org_id) = &self.inner.settings.org_id {
                request = request.query("org_id", org_id);
            }
            if let Some(cursor) = &cursor {
                request = request.query("cursor", cursor);
            }
            let page: ListPage = self.send(request).await?;
            let unavailable = page.unavailable_project_ids.unwrap_or_default().len();
            complete &= unavailable == 0;
            let held = page.projects.len() + unavailable;
            let new = page.projects.into_iter().filter(|listed| listed.name == name);
            found.extend(new.filter(|listed| ids.insert(listed.id.clone())));
            match pager.after(held, page.pagination) {
                Next::Page(next) => cursor = Some(next),
                Next::End => return Ok((found, complete)),
                Next::Circle => return Ok((found, false)),
            }
        }
    }
}
