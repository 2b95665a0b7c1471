//! What has been sent of an answer, kept in the tenant's database while it is written.
//!
//! In: events of whoever writes the answer. Out: the same events, from the first on, for readers who come later or by another
//! process. The writer shows that it lives, and hears there that it is to stop. Nothing but the database connects the two.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{Stream, stream};
use serde_json::Value;
use sqlx::PgPool;
use tokio::{sync::mpsc, time::Instant};

/// How often what is new is written down, and looked for.
const EVERY: Duration = Duration::from_millis(250);
/// Bytes of one write. What is longer goes in two TLS records, and without `TCP_NODELAY` (sqlx 0.9 leaves it off) the second waits
/// 40 ms for the acknowledgement of the first.
const BATCH: usize = 12 << 10;
/// A writer that said nothing for so long is gone.
const LOST: Duration = Duration::from_secs(15);

/// Where the events of one answer go: to the browser that asked, as long as it listens, and into the database.
pub(super) struct Sender {
    live: mpsc::UnboundedSender<String>,
    queue: Mutex<Queue>,
}

/// Events on their way into the database.
#[derive(Default)]
struct Queue {
    /// Sent, and not known to have come there: it is sent again as it is, under the same place.
    batch: Vec<String>,
    later: Vec<String>,
    place: i32,
}

impl Sender {
    pub(super) fn new(live: mpsc::UnboundedSender<String>) -> Self {
        Self { live, queue: Mutex::default() }
    }

    /// To the browser at once, to the database soon.
    pub(super) fn send(&self, event: &Value) {
        let text = event.to_string();
        // A browser that is gone changes nothing.
        let _ = self.live.send(text.clone());
        self.queue().later.push(text);
    }

    /// To the database only.
    pub(super) fn keep(&self, events: &[Value]) {
        self.queue().later.extend(events.iter().map(Value::to_string));
    }

    /// To the browser only.
    pub(super) fn tell(&self, events: &[Value]) {
        events.iter().for_each(|event| drop(self.live.send(event.to_string())));
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be sent now, and under which place; a reader that has read a place must never miss what was added to it.
    fn next(&self) -> (i32, String) {
        let mut queue = self.queue();
        if queue.batch.is_empty() {
            let mut room = BATCH;
            let mut fits = |event: &String| {
                let fits = event.len() <= room;
                room = room.saturating_sub(event.len());
                fits
            };
            let count = queue.later.iter().take_while(|event| fits(event)).count().max(1);
            let count = count.min(queue.later.len());
            queue.batch = queue.later.drain(..count).collect();
        }
        (queue.place, queue.batch.join("\n"))
    }

    /// The batch has come there; whether more is waiting.
    fn written(&self) -> bool {
        let mut queue = self.queue();
        if !queue.batch.is_empty() {
            queue.batch.clear();
            queue.place += 1;
        }
        !queue.later.is_empty()
    }
}

/// What becomes of an answer that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It is to be written on.
    Yes,
    /// Somebody asked to stop.
    Stop,
    /// It was given up, replaced or deleted in the meantime.
    Gone,
}

/// An answer, by its conversation and its own id.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) conversation: String,
    pub(super) message: String,
}

/// Writes events down until the answer is to end; why it is.
pub(super) async fn write_down(pool: &PgPool, place: &Place, sender: &Sender) -> Wanted {
    loop {
        tokio::time::sleep(EVERY).await;
        match flush(pool, place, sender).await {
            Ok(Wanted::Yes) => {}
            Ok(wanted) => return wanted,
            // The browser that listens gets its answer all the same.
            Err(error) => tracing::debug!(%error, "an answer cannot be written down just now"),
        }
    }
}

/// Writes down all that is new; whether the answer is still wanted. Dropped in the middle, nothing is lost: it is written again.
pub(super) async fn flush(pool: &PgPool, place: &Place, sender: &Sender) -> sqlx::Result<Wanted> {
    loop {
        let (next, events) = sender.next();
        let written = tokio::time::timeout(LOST / 3, write(pool, place, &events, next)).await;
        let wanted = written.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        if !sender.written() || wanted == Wanted::Gone {
            return Ok(wanted);
        }
    }
}

async fn write(pool: &PgPool, place: &Place, events: &str, next: i32) -> sqlx::Result<Wanted> {
    // Written again after a lost reply, it is the same row. No message, no piece: it was replaced or deleted.
    let stop: Option<bool> = sqlx::query_scalar(
        "with alive as (
            update messages set alive_at = now()
            where conversation_id = $1 and id = $2 and state = 'answering' returning stop_requested
         ), piece as (
            insert into answer_pieces (conversation_id, message_id, place, events)
            select $1, $2, $3, $4 from alive where $4 <> ''
            on conflict (conversation_id, message_id, place) do nothing
         )
         select stop_requested from alive",
    )
    .bind(&place.conversation)
    .bind(&place.message)
    .bind(next)
    .bind(events)
    .fetch_optional(pool)
    .await?;
    Ok(match stop {
        Some(false) => Wanted::Yes,
        Some(true) => Wanted::Stop,
        None => Wanted::Gone,
    })
}

/// The answer of a conversation that is being written, if there is one.
pub(super) async fn running(pool: &PgPool, conversation: &str) -> sqlx::Result<Option<Place>> {
    let message: Option<String> = sqlx::query_scalar(
        "select id from messages where conversation_id = $1 and state = 'answering' and alive_at > now() - $2 * interval '1 second'",
    )
    .bind(conversation)
    .bind(LOST.as_secs_f64())
    .fetch_optional(pool)
    .await?;
    Ok(message.map(|message| Place { conversation: conversation.to_owned(), message }))
}

struct Reader {
    pool: PgPool,
    place: Place,
    next: i32,
    ready: VecDeque<String>,
    heard: Instant,
}

/// Its events from the first on, those that are still to come included; it ends early where the writer is gone.
pub(super) fn follow(pool: PgPool, place: Place) -> impl Stream<Item = String> + Send {
    let reader = Reader { pool, place, next: 0, ready: VecDeque::new(), heard: Instant::now() };
    stream::unfold(reader, |mut reader| async move {
        let event = reader.event().await?;
        Some((event, reader))
    })
}

impl Reader {
    async fn event(&mut self) -> Option<String> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            match self.read().await {
                Ok(true) => self.heard = Instant::now(),
                Ok(false) | Err(_) if self.heard.elapsed() > LOST => return None,
                Ok(false) => tokio::time::sleep(EVERY).await,
                Err(error) => {
                    tracing::debug!(%error, "an answer cannot be read just now");
                    tokio::time::sleep(EVERY).await;
                }
            }
        }
    }

    /// Takes in what is new; whether the writer lives.
    async fn read(&mut self) -> sqlx::Result<bool> {
        let pieces: Vec<(i32, String)> = sqlx::query_as(
            "select place, events from answer_pieces
             where conversation_id = $1 and message_id = $2 and place >= $3 order by place",
        )
        .bind(&self.place.conversation)
        .bind(&self.place.message)
        .bind(self.next)
        .fetch_all(&self.pool)
        .await?;
        for (place, events) in &pieces {
            self.next = place + 1;
            self.ready.extend(events.lines().map(ToOwned::to_owned));
        }
        if !pieces.is_empty() {
            return Ok(true);
        }
        let alive = running(&self.pool, &self.place.conversation).await?;
        let lives = alive.is_some_and(|place| place.message == self.place.message);
        if lives {
            tokio::time::sleep(EVERY).await;
        }
        Ok(lives)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_batch_is_sent_again_as_it_was_until_it_has_come() {
        let (live, _browser) = mpsc::unbounded_channel();
        let sender = Sender::new(live);
        sender.send(&json!(1));
        sender.send(&json!(2));
        assert_eq!(sender.next(), (0, "1\n2".to_owned()));
        sender.send(&json!(3));
        assert_eq!(
            sender.next(),
            (0, "1\n2".to_owned()),
            "what is added later has a place of its own"
        );
        assert!(sender.written());
        assert_eq!(sender.next(), (1, "3".to_owned()));
        assert!(!sender.written());
        assert_eq!(sender.next(), (2, String::new()));
        assert!(!sender.written());
        for _ in 0..2 {
            sender.send(&json!("x".repeat(BATCH)));
        }
        assert_eq!(sender.next().1.len(), BATCH + 2, "one at a time where they are long");
        assert!(sender.written());
        sender.next();
        assert!(!sender.written());
        assert_eq!(sender.next().0, 4, "a sign of life takes no place");
    }
}
