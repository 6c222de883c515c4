// What a chroma network reads: 4:2:0 planes as kChromaInputs channels for each chroma sample.
//
// Over a window, chroma is told from luma by a straight line (He, Sun and Tang, "Guided image
// filtering", 2010); its slope times the detail of luma is the detail that chroma is likely to
// have. The channels: luma of the four places 0 to 3, Cb and Cr less grey 4 and 5, luma's detail
// times the slope for Cb 6 to 9 and for Cr 10 to 13, and Cb and Cr less grey on the line 14 and 15.
namespace rrt::cpu::RRT_ISA {
namespace {

// Windows are 7x7, of slopes too, and the mean above which luma has detail is 3x3.
constexpr Index kHalf = 3;
constexpr Index kNear = 1;
constexpr Index kSide = 2 * kHalf + 1;
// Windows of slopes over windows of samples, and luma's column left of them.
static_assert(kChromaReach == 2 * kHalf + 1);
constexpr Index kStrip = 256;
constexpr Index kLine = kStrip + 4 * kHalf;
// Rows of the means of luma wait for the slopes of rows further down.
constexpr Index kNearRows = 2 * kHalf + kNear + 1;
// A step of 8 bits is 4e-3: what varies by less is noise.
constexpr float kLumaNoise = 1.5e-4f;

/// Sums over windows: of luma, Cb, Cr, and of luma's products with all three.
enum Moment { kS, kU, kV, kSS, kSU, kSV, kMoments };

inline Span clipped(Index begin, Index end, Index length) {
    return {begin < 0 ? 0 : begin, end < length ? end : length};
}

/// One strip of columns, through which a band's rows stream. Line index 0 is `first`.
struct ChromaStrip {
    const ChromaJob& job;
    Index begin;   // of the columns that are made
    Index size;    // of them
    Index height;  // of chroma
    Index width;

    float raw[kMoments][kLine];
    float sums[kMoments][kSide][kLine];
    float near[kNearRows][kStrip];
    float slopes[2][kSide][kStrip];
    float centres[3][kHalf + 1][kStrip];  // means of luma, Cb and Cr over windows
    float lumas[kSide][kStrip];
    float counts[kLine];  // columns in the window about raw column kHalf + i
    float inside[kLine];  // 1 where that column is in the frame
    float planes[kChromaInputs][kStrip];

    ChromaStrip(const ChromaJob& given, Index x)
        : job(given),
          begin(x),
          size(smaller(kStrip, given.cb.width - x)),
          height(given.cb.height),
          width(given.cb.width) {
        for (Index i = 0; i < size + 2 * kHalf; ++i) {
            const Index column = begin - kHalf + i;
            counts[i] =
                static_cast<float>(clipped(column - kHalf, column + kHalf + 1, width).size());
            inside[i] = column >= 0 && column < width ? 1.0f : 0.0f;
        }
    }

    Index first() const { return begin - 2 * kHalf; }

    /// Samples [columns.begin, columns.end) of a plane's row, every step-th, less `grey`.
    template <class S>
    void read(float* target, const FrameView& plane, Index row, Index column, Index step,
              Index n) const {
        const S* const source =
            static_cast<const S*>(plane.data) + clamp_index(row, plane.height) * plane.row;
        // Of an odd width the last column is repeated.
        const Index there = (plane.width - column + step - 1) / step;
        const Index whole = n < there ? n : there;
        normalise(target, source + column * plane.column, step * plane.column, whole, job.peak);
        for (Index i = whole; i < n; ++i) {
            target[i] = static_cast<float>(source[(plane.width - 1) * plane.column]) / job.peak;
        }
    }

    /// Sums over the window's columns of row `y`.
    template <class S>
    void sum_row(Index y) {
        const Span columns = clipped(first(), begin + size + 2 * kHalf, width);
        const Index lead = columns.begin - first();
        const Index n = columns.size();
        for (int m = 0; m < kMoments; ++m) {
            for (Index i = 0; i < kLine; ++i) raw[m][i] = 0.0f;
        }
        float* const s = raw[kS] + lead;
        for (int row = 0; row < 2; ++row) {
            // Of luma's columns 2x - 1, 2x and 2x + 1; the first one's left neighbour is its right.
            float even[kLine];
            float odd[kLine];
            float left[kLine];
            const Index x = columns.begin;
            read<S>(even, job.luma, 2 * y + row, 2 * x, 2, n);
            read<S>(odd, job.luma, 2 * y + row, 2 * x + 1, 2, n);
            if (x > 0) {
                read<S>(left, job.luma, 2 * y + row, 2 * x - 1, 2, n);
            } else {
                left[0] = odd[0];
                for (Index i = 1; i < n; ++i) left[i] = odd[i - 1];
            }
            for (Index i = 0; i < n; ++i) {
                s[i] += 0.25f * even[i] + 0.125f * odd[i] + 0.125f * left[i] - 0.25f;
            }
        }
        float* const u = raw[kU] + lead;
        float* const v = raw[kV] + lead;
        read<S>(u, job.cb, y, columns.begin, 1, n);
        read<S>(v, job.cr, y, columns.begin, 1, n);
        const float grey = job.grey;
        for (Index i = 0; i < n; ++i) {
            u[i] -= grey;
            v[i] -= grey;
            raw[kSS][lead + i] = s[i] * s[i];
            raw[kSU][lead + i] = s[i] * u[i];
            raw[kSV][lead + i] = s[i] * v[i];
        }
        for (int m = 0; m < kMoments; ++m) {
            add_columns<kSide>(sums[m][y % kSide], raw[m], size + 2 * kHalf);
        }
        add_columns<2 * kNear + 1>(near[y % kNearRows], raw[kS] + 2 * kHalf - kNear, size);
        add_columns<1>(lumas[y % kSide], raw[kS] + 2 * kHalf, size);
    }

    template <Index side>
    static void add_columns(float* __restrict target, const float* __restrict source, Index n) {
        for (Index i = 0; i < n; ++i) {
            float sum = source[i];
            for (Index k = 1; k < side; ++k) sum += source[i + k];
            target[i] = sum;
        }
    }

    /// target[i] = the sum of the rows that a ring has of [rows.begin, rows.end).
    template <Index ring, Index line>
    static void add_rows(float* __restrict target, const float (*source)[line], Span rows,
                         Index n) {
        for (Index i = 0; i < n; ++i) target[i] = 0.0f;
        for (Index y = rows.begin; y < rows.end; ++y) {
            const float* __restrict const row = source[y % ring];
            for (Index i = 0; i < n; ++i) target[i] += row[i];
        }
    }

    /// Slopes of row `y`, summed over the window's columns, and the means that lines go through.
    void find_slopes(Index y) {
        const Index n = size + 2 * kHalf;
        const Span rows = clipped(y - kHalf, y + kHalf + 1, height);
        float means[kMoments][kLine];
        for (int m = 0; m < kMoments; ++m) {
            add_rows<kSide>(means[m], sums[m], rows, n);
            for (Index i = 0; i < n; ++i) {
                means[m][i] /= static_cast<float>(rows.size()) * counts[i];
            }
        }
        for (int c = 0; c < 2; ++c) {
            const float* const chroma = means[kU + c];
            const float* const product = means[kSU + c];
            float slope[kLine];
            for (Index i = 0; i < n; ++i) {
                const float s = means[kS][i];
                const float both = product[i] - s * chroma[i];
                const float luma = means[kSS][i] - s * s + kLumaNoise;
                slope[i] = inside[i] * both / luma;
            }
            add_columns<kSide>(slopes[c][y % kSide], slope, size);
        }
        for (int m = 0; m < 3; ++m) {
            add_columns<1>(centres[m][y % (kHalf + 1)], means[kS + m] + kHalf, size);
        }
    }

    template <class S>
    void write_row(Index y) {
        for (int place = 0; place < 4; ++place) {
            read<S>(planes[place], job.luma, 2 * y + place / 2, 2 * begin + place % 2, 2, size);
        }
        read<S>(planes[4], job.cb, y, begin, 1, size);
        read<S>(planes[5], job.cr, y, begin, 1, size);
        float mean[kStrip];
        const Span close = clipped(y - kNear, y + kNear + 1, height);
        add_rows<kNearRows>(mean, near, close, size);
        for (Index i = 0; i < size; ++i) {
            const Index x = begin + i;
            const Index across = clipped(x - kNear, x + kNear + 1, width).size();
            mean[i] = mean[i] / static_cast<float>(close.size() * across) + 0.5f;
        }
        const Span rows = clipped(y - kHalf, y + kHalf + 1, height);
        for (int c = 0; c < 2; ++c) {
            float slope[kStrip];
            add_rows<kSide>(slope, slopes[c], rows, size);
            const float* const s = lumas[y % kSide];
            const float* const luma_mean = centres[0][y % (kHalf + 1)];
            const float* const chroma_mean = centres[1 + c][y % (kHalf + 1)];
            for (Index i = 0; i < size; ++i) {
                const float mean_slope =
                    slope[i] / (static_cast<float>(rows.size()) * counts[kHalf + i]);
                for (int place = 0; place < 4; ++place) {
                    planes[6 + 4 * c + place][i] = mean_slope * (planes[place][i] - mean[i]);
                }
                planes[4 + c][i] -= job.grey;
                planes[14 + c][i] = chroma_mean[i] + mean_slope * (s[i] - luma_mean[i]);
            }
        }
        float* const target = job.target + (y * width + begin) * kChromaInputs;
        for (Index i = 0; i < size; ++i) {
            for (int c = 0; c < kChromaInputs; ++c) target[i * kChromaInputs + c] = planes[c][i];
        }
    }
};

template <class S>
void chroma_inputs_as(const ChromaJob& job, Span band) {
    const Index height = job.cb.height;
    for (Index x = 0; x < job.cb.width; x += kStrip) {
        ChromaStrip strip(job, x);
        for (Index y = band.begin - 2 * kHalf; y < band.end + 2 * kHalf; ++y) {
            if (y >= 0 && y < height) strip.sum_row<S>(y);
            const Index middle = y - kHalf;
            if (middle >= 0 && middle < height && middle >= band.begin - kHalf) {
                strip.find_slopes(middle);
            }
            const Index done = y - 2 * kHalf;
            if (done >= band.begin && done < band.end) strip.write_row<S>(done);
        }
    }
}

void chroma_inputs(const ChromaJob& job, Span band) {
    if (job.luma.sample == Sample::u8) return chroma_inputs_as<std::uint8_t>(job, band);
    return chroma_inputs_as<std::uint16_t>(job, band);
}

}  // namespace
}  // namespace rrt::cpu::RRT_ISA
