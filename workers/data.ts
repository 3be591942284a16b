// The data worker: files in, rows out. Wiring only; the work is in dataCalls.ts.
import type { DataCalls, DataEvent } from '../src/protocol/engine.ts'
import { dataCalls } from './dataCalls.ts'
import { serve } from './serve.ts'

const server = serve<DataCalls, DataEvent>(dataCalls((event) => server.emit(event)))
