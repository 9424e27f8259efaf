//! What every benchmark needs: where the programs are, and pairs of measurements that take turns.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::lambda::Lambda;

/// The programs to measure, and how often.
pub(crate) struct Bench {
    /// Where cargo has put what is measured, this program among it.
    pub(crate) programs: PathBuf,
    /// A Python with boto3.
    pub(crate) python: PathBuf,
    /// How many pairs a comparison takes.
    pub(crate) pairs: usize,
    /// Where to write.
    pub(crate) directory: PathBuf,
}

impl Bench {
    /// A program that cargo has built beside this one.
    pub(crate) fn program(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.programs.join(name);
        match path.is_file() {
            true => Ok(path),
            false => bail!("{} is not there; `make bench` builds it", path.display()),
        }
    }

    /// A Lambda whose functions have as many certificates to read as boto3 brings along, as in real life.
    pub(crate) fn lambda(&self) -> anyhow::Result<Lambda> {
        let program = "import botocore, os; print(os.path.dirname(botocore.__file__))";
        let found = Command::new(&self.python).args(["-c", program]).output();
        let found = found.with_context(|| format!("run {}", self.python.display()))?;
        if !found.status.success() {
            bail!("{} has no boto3: {}", self.python.display(), String::from_utf8_lossy(&found.stderr));
        }
        let botocore = String::from_utf8(found.stdout)?;
        Lambda::new(&self.directory, &Path::new(botocore.trim()).join("cacert.pem"))
    }

    /// Takes pairs of measurements in turn, each pair the other way round than the one before.
    pub(crate) async fn pairs<T>(
        &self,
        mut ours: impl AsyncFnMut() -> anyhow::Result<T>,
        mut theirs: impl AsyncFnMut() -> anyhow::Result<T>,
    ) -> anyhow::Result<Vec<(T, T)>> {
        // The first of each finds cold caches.
        ours().await?;
        theirs().await?;
        let mut pairs = Vec::with_capacity(self.pairs);
        for round in 0..self.pairs {
            pairs.push(if round % 2 == 0 {
                let ours = ours().await?;
                (ours, theirs().await?)
            } else {
                let theirs = theirs().await?;
                (ours().await?, theirs)
            });
        }
        Ok(pairs)
    }
}
