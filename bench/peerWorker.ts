// The peer in a worker of its own.
import { answerJobs } from './answer.ts'
import { runJob } from './nanogpt.ts'

answerJobs(runJob)
