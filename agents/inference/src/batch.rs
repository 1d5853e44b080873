//! Several requests at once, each step of all of them as one run of the network.

use crate::{
    error::InferenceError,
    model::{Generation, Model},
    state::State,
};
use cuckoo_protocol::body::Body;
use std::ops::ControlFlow;

/// Called with the request (from 0), its steps done, and its steps; a break gives it up.
type Progress<'p> = dyn FnMut(usize, u32, u32) -> ControlFlow<()> + 'p;

/// Whether two requests to one model may be run as one batch: pictures from prompts, of one size, in the same steps, and both with
/// guidance or both without.
pub fn alike(one: &Body, other: &Body) -> bool {
    let (Body::Image(one), Body::Image(other)) = (one, other) else { return false };
    let key = |body: &cuckoo_protocol::body::ImageBody| {
        (body.width, body.height, body.steps, body.scheduler.clone(), body.guidance.to_f32() > 1.0)
    };
    one.strength.is_none() && other.strength.is_none() && key(one) == key(other)
}

impl Model {
    /// Runs requests without input pictures: together if they are [`alike`], the program can and the memory holds them, else one
    /// by one. What becomes of one is as if it were run alone, but for rounding. `progress` is as for [`Model::generate`].
    pub fn generate_batch(
        &mut self,
        bodies: &[Body],
        progress: &mut Progress<'_>,
    ) -> Vec<Result<Generation, InferenceError>> {
        let like = bodies.windows(2).all(|pair| alike(&pair[0], &pair[1]));
        if like && bodies.len() > 1 && bodies.len() < self.too_many {
            match self.together(bodies, progress) {
                Ok(Some(results)) => return results,
                Ok(None) => {}
                // Whatever went wrong, alone it may go well, or it will be said of the request that it is about.
                Err(error) => {
                    if matches!(error, InferenceError::Memory { .. }) {
                        self.too_many = bodies.len();
                    }
                    self.close();
                }
            }
        }
        let alone = |(at, body): (usize, &Body)| self.generate(body, &[], &mut |done, steps| progress(at, done, steps));
        bodies.iter().enumerate().map(alone).collect()
    }

    /// None if the program cannot.
    #[allow(clippy::type_complexity, reason = "the result of each, if there are any, if nothing went wrong for all")]
    fn together(
        &mut self,
        bodies: &[Body],
        progress: &mut Progress<'_>,
    ) -> Result<Option<Vec<Result<Generation, InferenceError>>>, InferenceError> {
        for body in bodies {
            self.manifest().check(body)?;
        }
        let steps = bodies.first().map_or(0, Body::steps);
        let Some(mut batch) = self.program().open_batch(bodies)? else { return Ok(None) };
        let mut states = batch.init()?;
        let mut traces: Vec<Vec<State>> = states.iter().map(|state| vec![state.clone()]).collect();
        // Why a request will come to nothing. Its row is computed all the same, since sessions have fixed sizes.
        let mut over: Vec<Option<InferenceError>> = bodies.iter().map(|_| None).collect();
        for done in 0..=steps {
            for (at, over) in over.iter_mut().enumerate().filter(|(_, over)| over.is_none()) {
                if progress(at, done, steps).is_break() {
                    *over = Some(InferenceError::Cancelled { done, steps });
                }
            }
            if done == steps || over.iter().all(Option::is_some) {
                break;
            }
            states = batch.step(done, &states)?;
            for ((state, trace), over) in states.iter().zip(&mut traces).zip(&mut over) {
                if over.is_none() && !state.is_finite() {
                    *over = Some(InferenceError::NonFinite { what: format!("state {}", done + 1) });
                }
                trace.push(state.clone());
            }
        }
        let finish = |(at, (over, states)): (usize, (Option<InferenceError>, Vec<State>))| {
            if let Some(error) = over {
                return Err(error);
            }
            let last = states.last().ok_or_else(|| InferenceError::unfit("the batch", "it has no states"))?;
            Ok(Generation { output: batch.finish(at, last)?, states })
        };
        Ok(Some(over.into_iter().zip(traces).enumerate().map(finish).collect()))
    }
}
