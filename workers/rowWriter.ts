// A worker that stores rows for an import: in a file where the browser has files, else in the database, where what the browser
// does to a value before it is stored takes about as long as reading the rows. Started by workers/import/writeBeside.ts.
import type { WriteAnswer, WriteTask } from './import/writeBeside.ts'
import { writingDesk } from './import/writingDesk.ts'

const answer = (message: WriteAnswer, moved: ArrayBuffer[] = []): void => self.postMessage(message, moved)
const desk = writingDesk(answer)
self.onmessage = ({ data }: MessageEvent<WriteTask>) => desk(data)
