//! The images as they are really built: the same inputs give the same bytes, and nothing is built that is there already.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use stack::commands::images::{Image, Profile, Wanted, build};
use stack::{paths, skip};

fn written(image: &Image) -> SystemTime {
    fs::metadata(&image.archive).unwrap().modified().unwrap()
}

fn build_into(folder: &Path) -> Vec<Image> {
    build(&Wanted::prebuilt(Profile::Debug), folder).unwrap_or_else(|error| panic!("{error:#}"))
}

#[test]
fn the_same_inputs_give_the_same_images_and_are_built_once() {
    if paths::uid() != 0
        && ["docker", "podman", "buildah"].iter().all(|name| paths::on_path(name).is_none())
    {
        let reason = "nothing here builds images: install docker, podman or buildah";
        return skip("the_same_inputs_give_the_same_images_and_are_built_once", reason);
    }
    let root = paths::cache_folder("unit-tests").unwrap().join(paths::random_hex(8).unwrap());
    let [first, second] = ["first", "second"].map(|name| build_into(&root.join(name)));
    assert_eq!(first.len(), 2);
    for (one, two) in first.iter().zip(&second) {
        assert_eq!(one.digest, two.digest, "{}", one.name);
        let bytes = |image: &Image| fs::read(&image.archive).unwrap();
        assert!(bytes(one) == bytes(two), "the archives of {} differ", one.name);
        assert!(
            one.name.starts_with("ghcr.io/tenantry/") && one.name.contains(':'),
            "{}",
            one.name
        );
        assert!(one.compressed < one.unpacked, "{one:?}");
    }
    let again = build_into(&root.join("first"));
    assert_eq!((&again, written(&again[0])), (&first, written(&first[0])), "built twice");

    // A broken archive is not taken for the image.
    fs::write(&first[0].archive, "half").unwrap();
    let mended = build_into(&root.join("first"));
    assert_eq!(mended, first);
    assert!(fs::read(&mended[0].archive).unwrap() == fs::read(&second[0].archive).unwrap());
    fs::remove_dir_all(root).unwrap();
}
