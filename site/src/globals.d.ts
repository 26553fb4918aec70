// What the build puts in, and what browsers have that TypeScript's library does not know yet.

declare const ASSETS: Record<string, { file: string; bytes: number; sha256: string }>;
declare const MENU: any;
declare const YUNET: boolean;
declare const FILES: string[];
declare const VERSION: string;

interface Navigator {
  deviceMemory?: number;
  gpu?: any;
}

declare namespace WebAssembly {
  const Suspending: unknown;
}
