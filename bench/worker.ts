// The bench in a worker of Chromium.
import { answerJobs } from './answer.ts'
import { runJob, type Job } from './jobs.ts'

answerJobs((job: Job) => runJob(job))
