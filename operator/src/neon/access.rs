//! Who may get at what: branches with their marks, databases, roles, passwords, connection URIs, and the API
//! key itself.
//!
//! In: ids and names. Out: plain data, and secrets as secrets. It must not keep a password, nor compose a URI.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::IgnoredAny};

use super::{
    Branch, Client, ConnectionUri, Database, Error, Operation, Role,
    paging::{Next, Pager, Pagination},
    route::{
        AUTH, CONNECTION_URI, LIST_BRANCHES, LIST_DATABASES, LIST_ROLES, RESET_PASSWORD,
        REVEAL_PASSWORD,
    },
};

/// A page of branches; an operator's project has one branch, its users may add some.
const PAGE: usize = 1000;

#[derive(Deserialize)]
struct BranchPage {
    branches: Vec<WireBranch>,
    #[serde(default)]
    annotations: BTreeMap<String, Annotation>,
    #[serde(default)]
    pagination: Option<Pagination>,
}

#[derive(Deserialize)]
struct WireBranch {
    id: String,
    name: String,
    current_state: String,
    #[serde(default)]
    default: Option<bool>,
    /// The older word for it.
    #[serde(default)]
    primary: Option<bool>,
    #[serde(default)]
    protected: bool,
}

#[derive(Deserialize)]
struct Annotation {
    object: AnnotatedObject,
    #[serde(default)]
    value: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct AnnotatedObject {
    id: String,
}

#[derive(Deserialize)]
struct Databases {
    databases: Vec<Database>,
}

#[derive(Deserialize)]
struct Roles {
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct Uri {
    #[serde(deserialize_with = "secret")]
    uri: SecretString,
}

#[derive(Deserialize)]
struct Password {
    #[serde(deserialize_with = "secret")]
    password: SecretString,
}

#[derive(Deserialize)]
struct PasswordReset {
    role: Password,
    #[serde(default)]
    operations: Vec<Operation>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

impl Client {
    /// The branches of a project with their annotations.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the project is gone.
    pub async fn branches(&self, project_id: &str) -> Result<Vec<Branch>, Error> {
        let (mut branches, mut annotations) = (Vec::new(), BTreeMap::new());
        let (mut pager, mut cursor) = (Pager::new(PAGE), None::<String>);
        loop {
            let mut request =
                self.request(LIST_BRANCHES, &[project_id])?.query("limit", &PAGE.to_string());
            if let Some(cursor) = &cursor {
                request = request.query("cursor", cursor);
            }
            let page: BranchPage = self.send(request).await?;
            let held = page.branches.len();
            branches.extend(page.branches);
            annotations
                .extend(page.annotations.into_values().map(|mark| (mark.object.id, mark.value)));
            match pager.after(held, page.pagination) {
                Next::Page(next) => cursor = Some(next),
                Next::End | Next::Circle => break,
            }
        }
        Ok(branches.into_iter().map(|branch| marked(branch, &mut annotations)).collect())
    }

    /// The databases of a branch.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the branch is gone, or so new that Neon does not show it yet.
    pub async fn databases(
        &self,
        project_id: &str,
        branch_id: &str,
    ) -> Result<Vec<Database>, Error> {
        let request = self.request(LIST_DATABASES, &[project_id, branch_id])?;
        Ok(self.send::<Databases>(request).await?.databases)
    }

    /// The roles of a branch.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the branch is gone, or so new that Neon does not show it yet.
    pub async fn roles(&self, project_id: &str, branch_id: &str) -> Result<Vec<Role>, Error> {
        let request = self.request(LIST_ROLES, &[project_id, branch_id])?;
        Ok(self.send::<Roles>(request).await?.roles)
    }

    /// The connection URI of a database for a role, direct or through the pooler.
    ///
    /// # Errors
    /// [`Error::Decode`] names what is wrong with a URI that cannot be read.
    pub async fn connection_uri(
        &self,
        project_id: &str,
        branch_id: &str,
        database: &str,
        role: &str,
        pooled: bool,
    ) -> Result<ConnectionUri, Error> {
        use secrecy::ExposeSecret;
        let request = self
            .request(CONNECTION_URI, &[project_id])?
            .query("branch_id", branch_id)
            .query("database_name", database)
            .query("role_name", role)
            .query("pooled", if pooled { "true" } else { "false" });
        let reply: Uri = self.send(request).await?;
        ConnectionUri::parse(reply.uri.expose_secret()).map_err(|bad| Error::Decode {
            route: CONNECTION_URI.name,
            mutation: false,
            status: 200,
            truncated: false,
            problem: bad.to_string(),
        })
    }

    /// The role's password; `None` where the project does not store passwords (412).
    ///
    /// # Errors
    /// [`Error::NotFound`] where the role is gone.
    pub async fn reveal_password(
        &self,
        project_id: &str,
        branch_id: &str,
        role: &str,
    ) -> Result<Option<SecretString>, Error> {
        let request = self.request(REVEAL_PASSWORD, &[project_id, branch_id, role])?;
        match self.send::<Password>(request).await {
            Ok(reply) => Ok(Some(reply.password)),
            Err(error) if error.status() == Some(412) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the role a new password, which counts once the operations are finished; connections drop.
    ///
    /// # Errors
    /// With `outcome_unknown()` the old password may have ended: reset again, or reveal.
    pub async fn reset_password(
        &self,
        project_id: &str,
        branch_id: &str,
        role: &str,
    ) -> Result<(SecretString, Vec<Operation>), Error> {
        let request = self.request(RESET_PASSWORD, &[project_id, branch_id, role])?;
        let PasswordReset { role, operations } = self.send(request).await?;
        Ok((role.password, operations))
    }

    /// Asks whether the API key is accepted.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] and [`Error::Forbidden`] speak of the key, all others of the way to Neon.
    pub async fn authenticate(&self) -> Result<(), Error> {
        self.send::<BTreeMap<String, IgnoredAny>>(self.request(AUTH, &[])?).await.map(|_| ())
    }
}

fn marked(branch: WireBranch, marks: &mut BTreeMap<String, BTreeMap<String, String>>) -> Branch {
    let WireBranch { id, name, current_state, default, primary, protected } = branch;
    let annotations = marks.remove(&id).unwrap_or_default();
    let default = default.or(primary).unwrap_or_default();
    Branch { id, name, default, protected, current_state, annotations }
}
