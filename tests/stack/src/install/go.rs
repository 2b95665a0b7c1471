//! Programs that are built with Go, at the versions that tests/tools pins: the control plane, and what single tests need.
//!
//! In: KUBEBUILDER_ASSETS, PATH, the go.mod files. Out: paths of the programs. What neither of the first two has (PATH counts at
//! the wanted minor version only) is built once with Go and kept under the hash of go.sum and of sources of our own beside it, so a
//! changed pin or source is a new build. Families of one folder share its lock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::packages;
use crate::{options, paths, tool};

/// The four programs of Kubernetes.
#[derive(Debug, Clone)]
pub struct KubeTools {
    /// `etcd`
    pub etcd: PathBuf,
    /// `kube-apiserver`
    pub apiserver: PathBuf,
    /// `kube-controller-manager`
    pub controller_manager: PathBuf,
    /// `kubectl`
    pub kubectl: PathBuf,
}

/// Programs that one go.mod pins together.
struct Family {
    folder: &'static str,
    module: &'static str,
    /// Program and the package that it is built from.
    programs: &'static [(&'static str, &'static str)],
}

const KUBERNETES: Family = Family {
    folder: "kubernetes",
    module: "k8s.io/kubernetes",
    programs: &[
        ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
        ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ],
};
const ETCD: Family = Family {
    folder: "etcd",
    module: "go.etcd.io/etcd/server/v3",
    programs: &[("etcd", "go.etcd.io/etcd/server/v3")],
};

/// What not every stack needs: each family is built when one of its programs is first asked for.
const OTHERS: [Family; 10] = [
    Family {
        folder: "versitygw",
        module: "github.com/versity/versitygw",
        programs: &[("versitygw", "github.com/versity/versitygw/cmd/versitygw")],
    },
    Family {
        folder: "kubernetes",
        module: "k8s.io/kubernetes",
        programs: &[
            ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
            ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
            ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
        ],
    },
    Family {
        folder: "containerd",
        module: "github.com/containerd/containerd/v2",
        programs: &[
            ("containerd", "github.com/containerd/containerd/v2/cmd/containerd"),
            (
                "containerd-shim-runc-v2",
                "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
            ),
            ("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
            ("pause", "tenantry.dev/tests/containerd/pause"),
        ],
    },
    Family {
        folder: "helm",
        module: "helm.sh/helm/v4",
        programs: &[("helm", "helm.sh/helm/v4/cmd/helm")],
    },
    Family {
        folder: "helm-unittest",
        module: "github.com/helm-unittest/helm-unittest",
        programs: &[("helm-unittest", "github.com/helm-unittest/helm-unittest/cmd/helm-unittest")],
    },
    Family {
        folder: "helm-docs",
        module: "github.com/norwoodj/helm-docs",
        programs: &[("helm-docs", "github.com/norwoodj/helm-docs/cmd/helm-docs")],
    },
    Family {
        folder: "kubeconform",
        module: "github.com/yannh/kubeconform",
        programs: &[("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform")],
    },
    Family {
        folder: "crane",
        module: "github.com/google/go-containerregistry",
        programs: &[("crane", "github.com/google/go-containerregistry/cmd/crane")],
    },
    Family {
        folder: "kustomize-controller",
        module: "github.com/fluxcd/kustomize-controller",
        programs: &[("kustomize-controller", "github.com/fluxcd/kustomize-controller")],
    },
    // Two small programs of our own over the libraries by which GitOps tools judge an object.
    Family {
        folder: "health",
        module: "github.com/fluxcd/cli-utils",
        programs: &[
            ("kstatus", "tenantry.dev/tests/health/kstatus"),
            ("argo-health", "tenantry.dev/tests/health/argo-health"),
        ],
    },
];

/// Finds or builds one of the programs that not every stack needs, and those that are pinned with it.
pub(super) fn program(name: &str) -> Result<PathBuf> {
    let family = family_of(name).with_context(|| format!("no tests/tools folder pins {name}"))?;
    let built = family.install()?;
    let place = family.programs.iter().position(|(program, _)| *program == name);
    place.and_then(|place| built.get(place).cloned()).context("a program was not built")
}

/// One program of each family that not every stack needs; the others of the family come with it.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    OTHERS.iter().filter_map(|family| family.programs.first().map(|(program, _)| *program))
}

fn family_of(name: &str) -> Option<&'static Family> {
    OTHERS.iter().find(|family| family.programs.iter().any(|(program, _)| *program == name))
}

/// Finds or builds all four.
pub(super) fn install() -> Result<KubeTools> {
    let etcd = ETCD.install()?;
    let kubernetes = KUBERNETES.install()?;
    let [apiserver, controller_manager, kubectl] = <[PathBuf; 3]>::try_from(kubernetes)
        .map_err(|found| anyhow::anyhow!("three programs expected, found {found:?}"))?;
    Ok(KubeTools { etcd: etcd[0].clone(), apiserver, controller_manager, kubectl })
}

impl Family {
    fn install(&self) -> Result<Vec<PathBuf>> {
        let source = paths::checkout().join("tests/tools").join(self.folder);
        let go_mod = fs::read_to_string(source.join("go.mod"))
            .with_context(|| format!("cannot read {}/go.mod", source.display()))?;
        let version = pinned_version(&go_mod, self.module)
            .with_context(|| format!("{}/go.mod does not pin {}", source.display(), self.module))?;
        let name = format!("{}-{version}-{}", self.folder, key(&source)?);
        let target = paths::cache_folder("tools")?.join(name);

        let find = |program: &str| locate(program, version, &target);
        let missing = || -> Vec<&str> {
            let missing = self.programs.iter().filter(|(program, _)| find(program).is_none());
            missing.map(|(_, package)| *package).collect()
        };
        if !missing().is_empty() {
            let _lock = super::lock(self.folder)?;
            // Whoever held the lock may have built them.
            let packages = missing();
            if !packages.is_empty() {
                self.build(&source, version, &packages, &target)?;
            }
        }
        let found = |(program, _): &(&str, &str)| {
            find(program).with_context(|| format!("Go built no {program} in {}", target.display()))
        };
        self.programs.iter().map(found).collect()
    }

    /// `go build` names a program after its package, except that `…/server/v3` becomes `server`.
    fn build(&self, source: &Path, version: &str, packages: &[&str], target: &Path) -> Result<()> {
        let go = super::require("go", "install Go 1.26 or newer from https://go.dev/dl/")?;
        for package in packages {
            crate::say::line(format!(
                "   building {package} {version} with Go (once; minutes on a new machine)"
            ));
        }
        // A build that is interrupted must not leave half a program under its final name.
        let staging = PathBuf::from(format!("{}.part", target.display()));
        let _ = fs::remove_dir_all(&staging);
        fs::create_dir_all(&staging)?;
        let output = match packages {
            ["go.etcd.io/etcd/server/v3"] => staging.join("etcd"),
            _ => staging.join(""),
        };
        let mut command = Command::new(go);
        command.env("CGO_ENABLED", "0").args(["build", "-trimpath", "-buildvcs=false", "-ldflags"]);
        command.arg(ldflags(self.module, version)).arg("-o").arg(output).args(packages);
        tool::run(&format!("building {} {version}", self.folder), command.current_dir(source))?;
        fs::create_dir_all(target)?;
        for built in fs::read_dir(&staging)?.flatten() {
            fs::rename(built.path(), target.join(built.file_name()))?;
        }
        Ok(fs::remove_dir_all(&staging)?)
    }
}

/// Tells one state of a folder of tests/tools from another. Of most, go.sum says all that the version does not; where programs of our
/// own lie there, they count too.
fn key(source: &Path) -> Result<String> {
    let mut sum = Sha256::new_with_prefix(fs::read(source.join("go.sum"))?);
    let pins = ["go.mod", "go.sum"].map(|name| source.join(name));
    for file in packages::files_of(source)?.iter().filter(|file| !pins.contains(file)) {
        sum.update(file.strip_prefix(source)?.as_os_str().as_encoded_bytes());
        let text = fs::read(file)?;
        sum.update(text.len().to_le_bytes());
        sum.update(text);
    }
    Ok(paths::hex(&sum.finalize()[..6]))
}

/// Some programs call themselves v0.0.0-master unless their linker is told; the others carry their version in their source.
fn ldflags(module: &str, version: &str) -> String {
    let told = match module {
        "k8s.io/kubernetes" => {
            let (major, minor) = major_minor(version);
            format!(
                " -X k8s.io/component-base/version.gitVersion={version} \
                 -X k8s.io/component-base/version.gitMajor={major} -X k8s.io/component-base/version.gitMinor={minor} \
                 -X k8s.io/client-go/pkg/version.gitVersion={version}"
            )
        }
        "helm.sh/helm/v4" => format!(" -X helm.sh/helm/v4/internal/version.version={version}"),
        "github.com/containerd/containerd/v2" => format!(" -X {module}/version.Version={version}"),
        _ => String::new(),
    };
    format!("-s -w{told}")
}

/// `v1.37.2` becomes (`1`, `37`).
fn major_minor(version: &str) -> (&str, &str) {
    let mut parts = version.trim_start_matches('v').split('.');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// The version of `module` in the text of a go.mod.
fn pinned_version<'a>(go_mod: &'a str, module: &str) -> Option<&'a str> {
    let words = go_mod.lines().map(|line| line.trim().trim_start_matches("require ").split(' '));
    words
        .filter_map(|mut words| (words.next()? == module).then(|| words.next()).flatten())
        .find(|word| word.starts_with('v'))
}

/// KUBEBUILDER_ASSETS is taken as it is, PATH at the wanted minor version, then our own build.
fn locate(program: &str, version: &str, built: &Path) -> Option<PathBuf> {
    let assets = options::env("KUBEBUILDER_ASSETS").map(|folder| Path::new(&folder).join(program));
    let assets = assets.filter(|file| paths::is_program(file));
    let path = || paths::on_path(program).filter(|file| is_minor(file, program, version));
    let built = Some(built.join(program)).filter(|file| paths::is_program(file));
    assets.or(built).or_else(path)
}

fn is_minor(file: &Path, program: &str, version: &str) -> bool {
    let mut command = Command::new(file);
    match program {
        "kubectl" => command.args(["version", "--client"]),
        _ => command.arg("--version"),
    };
    let (major, minor) = major_minor(version);
    tool::output(&mut command).is_ok_and(|text| says_version(&text, major, minor))
}

fn says_version(text: &str, major: &str, minor: &str) -> bool {
    let wanted = format!("{major}.{minor}.");
    text.split([' ', '\n', 'v']).any(|word| word.starts_with(&wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_is_read_from_go_mod() {
        let text = "require (\n\tk8s.io/api v0.37.2 // indirect\n\tk8s.io/kubernetes v1.37.2 // indirect\n)\n";
        assert_eq!(pinned_version(text, "k8s.io/kubernetes"), Some("v1.37.2"));
        assert_eq!(
            pinned_version("require k8s.io/kubernetes v1.37.2\n", "k8s.io/kubernetes"),
            Some("v1.37.2")
        );
        assert_eq!(pinned_version(text, "go.etcd.io/etcd/server/v3"), None);
    }

    #[test]
    fn the_checkouts_own_pins_are_readable() {
        for family in [KUBERNETES, ETCD].iter().chain(&OTHERS) {
            let file = paths::checkout().join("tests/tools").join(family.folder).join("go.mod");
            let text = fs::read_to_string(file).unwrap();
            assert!(pinned_version(&text, family.module).is_some(), "{}", family.module);
        }
    }

    /// A build of five minutes is not thrown away for nothing, and a changed program of ours is not run as it was.
    #[test]
    fn a_folder_is_known_by_its_sums_and_by_programs_of_our_own() {
        let root = paths::cache_folder("unit-tests").unwrap().join(paths::random_hex(8).unwrap());
        fs::create_dir_all(root.join("program")).unwrap();
        fs::write(root.join("go.sum"), "sums").unwrap();
        fs::write(root.join("go.mod"), "module a").unwrap();
        let sums_alone = paths::hex(&Sha256::digest("sums")[..6]);
        assert_eq!(key(&root).unwrap(), sums_alone);
        let mut seen = vec![sums_alone];
        for text in ["package main", "package main // changed"] {
            fs::write(root.join("program/main.go"), text).unwrap();
            seen.push(key(&root).unwrap());
        }
        fs::write(root.join("go.sum"), "others").unwrap();
        seen.push(key(&root).unwrap());
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 4, "{seen:?}");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn only_the_wanted_minor_version_counts() {
        assert!(says_version("Kubernetes v1.37.0", "1", "37"));
        assert!(says_version("etcd Version: 3.7.3\nGit SHA: x", "3", "7"));
        assert!(says_version("Client Version: v1.37.2\nKustomize Version: v5.8.0", "1", "37"));
        assert!(!says_version("Client Version: v1.32.4-dispatcher", "1", "37"));
        assert!(!says_version("Kubernetes v1.370.0", "1", "37"));
    }

    #[test]
    fn kubernetes_is_told_its_version() {
        assert!(ldflags("k8s.io/kubernetes", "v1.37.2").contains("gitMinor=37"));
        assert_eq!(ldflags("go.etcd.io/etcd/server/v3", "v3.7.3"), "-s -w");
    }
}
