//! Listing projects as Neon does: by id, with a cursor that is the id of the last item (also on the last page), search
//! by part of name or id. In: the projects and a query. Out: one page. Pure.

use super::{Millis, Project, World};

/// What a list call asks for.
#[derive(Debug, Default)]
pub(crate) struct ProjectQuery<'a> {
    pub(crate) cursor: Option<&'a str>,
    pub(crate) limit: usize,
    pub(crate) search: Option<&'a str>,
    pub(crate) org_id: Option<&'a str>,
    pub(crate) recoverable: bool,
    /// Projects younger than this do not show yet.
    pub(crate) lag: Millis,
}

/// One page and the cursor to the next.
pub(crate) struct Page<'a> {
    pub(crate) items: Vec<&'a Project>,
    pub(crate) cursor: Option<String>,
}

/// The page that `query` asks for.
pub(crate) fn page_projects<'a>(
    world: &'a World,
    query: &ProjectQuery<'_>,
    now: Millis,
) -> Page<'a> {
    let lag = query.lag.max(world.settings.list_lag_millis);
    let matches = |p: &&Project| {
        query.cursor.is_none_or(|cursor| p.id.as_str() > cursor)
            && query.search.is_none_or(|text| p.name.contains(text) || p.id.contains(text))
            && query.org_id.is_none_or(|org| p.org_id.as_deref() == Some(org))
            && (if query.recoverable {
                p.deleted_at.is_some() && p.recoverable
            } else {
                p.deleted_at.is_none()
            })
            && p.created_at + lag <= now
    };
    let items: Vec<_> = world.projects.values().filter(matches).take(query.limit).collect();
    let cursor = items.last().map(|p| p.id.clone());
    Page { items, cursor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Settings;

    fn world(names: &[(&str, &str)]) -> World {
        let mut world = World::new(Settings::default());
        for (id, name) in names {
            world.projects.insert((*id).to_owned(), crate::api::tests_support::project(id, name));
        }
        world
    }

    fn ids(page: &Page<'_>) -> Vec<String> {
        page.items.iter().map(|p| p.id.clone()).collect()
    }

    #[test]
    fn pages_end_with_an_empty_one_and_the_last_full_one_has_a_cursor() {
        let world = world(&[("a", "x"), ("b", "x"), ("c", "x")]);
        let first =
            page_projects(&world, &ProjectQuery { limit: 2, ..ProjectQuery::default() }, 10);
        assert_eq!(
            (ids(&first), first.cursor.as_deref()),
            (vec!["a".into(), "b".into()], Some("b"))
        );
        let rest = ProjectQuery { limit: 2, cursor: Some("b"), ..ProjectQuery::default() };
        let last = page_projects(&world, &rest, 10);
        assert_eq!((ids(&last), last.cursor.as_deref()), (vec!["c".into()], Some("c")));
        let beyond = ProjectQuery { limit: 2, cursor: Some("c"), ..ProjectQuery::default() };
        let empty = page_projects(&world, &beyond, 10);
        assert!(empty.items.is_empty() && empty.cursor.is_none());
    }

    #[test]
    fn search_is_a_part_of_name_or_id_and_deleted_ones_are_hidden() {
        let mut world = world(&[("aa-1", "one"), ("bb-2", "phone"), ("cc-3", "two")]);
        let found = |world: &World, recoverable| {
            let query = ProjectQuery {
                limit: 9,
                search: Some("one"),
                recoverable,
                ..ProjectQuery::default()
            };
            ids(&page_projects(world, &query, 10))
        };
        assert_eq!(found(&world, false), ["aa-1", "bb-2"]);
        let gone = world.projects.get_mut("aa-1").unwrap();
        (gone.deleted_at, gone.recoverable) = (Some(5), true);
        assert_eq!(found(&world, false), ["bb-2"]);
        assert_eq!(found(&world, true), ["aa-1"]);
    }

    #[test]
    fn a_lagging_list_hides_the_young() {
        let world = world(&[("a", "x")]);
        let query = |lag| ProjectQuery { limit: 9, lag, ..ProjectQuery::default() };
        assert!(page_projects(&world, &query(100), 50).items.is_empty());
        assert_eq!(page_projects(&world, &query(100), 100).items.len(), 1);
    }
}
