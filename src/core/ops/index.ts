// Which implementation of the ops goes with which backend.
import type { BackendName } from '../../protocol/engine.ts'
import type { Ops } from './ops.ts'
import { referenceOps } from './reference/index.ts'
import { webgpuOps } from './webgpu/index.ts'

/** The ops for a backend that has been started (backend/register.ts). */
export function opsFor(backend: BackendName): Ops {
  return backend === 'webgpu' ? webgpuOps : referenceOps
}
