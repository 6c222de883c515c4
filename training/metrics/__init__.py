"""Image quality metrics: PSNR and SSIM against a reference, NIQE without one."""
